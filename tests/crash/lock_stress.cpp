// Many processes take one lock, and are killed, stopped and continued at random moments, while an oracle in shared
// memory watches. Exit 0: no overlap, no lock left after a last acquire and release, and every contender came through.
//
//   lock_stress [--contenders 8] [--sections 2000 | --seconds N] [--kill-rate 20] [--limit 120] [--root /tmp]
//               [--readers PERCENT] [--scripts 0] [--pause 300] [--protocol lockstep|naive-rmdir] [--expect-overlap]

#include "lock_stress.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <vector>

#include "lock/directory_lock.hpp"

namespace {

using namespace lock_stress;
using Clock = std::chrono::steady_clock;

struct Contender {
    pid_t pid = -1;
    Clock::time_point continue_at = Clock::time_point::max();  ///< while it is stopped
};

[[noreturn]] void usage(const char* argument) {
    std::fprintf(stderr, "lock_stress: %s is not an option, or lacks its value; see the top of lock_stress.cpp\n", argument);
    std::exit(64);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--expect-overlap") {
            options.expect_overlap = true;
            continue;
        }
        if (i + 1 >= argc) usage(argv[i]);
        const std::string value = argv[++i];
        if (name == "--contenders")
            options.contenders = std::clamp<std::size_t>(std::strtoul(value.c_str(), nullptr, 10), 1, kMostContenders / 2);
        else if (name == "--sections")
            options.sections = std::atol(value.c_str());
        else if (name == "--seconds")
            options.seconds = std::atoi(value.c_str());
        else if (name == "--readers")
            options.readers = static_cast<unsigned>(std::atoi(value.c_str()));
        else if (name == "--scripts")
            options.scripts = std::min<std::size_t>(std::strtoul(value.c_str(), nullptr, 10), kMostContenders / 2);
        else if (name == "--pause")
            options.pause_us = std::max(1L, std::atol(value.c_str()));
        else if (name == "--kill-rate")
            options.kill_rate = std::atof(value.c_str());
        else if (name == "--limit")
            options.limit_s = std::atoi(value.c_str());
        else if (name == "--root")
            options.root = value;
        else if (name == "--protocol" && value == "lockstep")
            options.protocol = Protocol::lockstep;
        else if (name == "--protocol" && value == "naive-rmdir")
            options.protocol = Protocol::naive_rmdir;
        else
            usage(argv[i - 1]);
    }
    return options;
}

/// Starts contenders, disturbs them, starts them again.
class Killer {
  public:
    Killer(const Options& options, const std::string& directory, Counters& counters)
        : options_(options), directory_(directory), counters_(counters), contenders_(options.contenders + options.scripts) {}

    void run() {
        const auto start = Clock::now();
        const bool by_time = options_.seconds > 0;
        const auto limit = start + std::chrono::seconds(by_time ? options_.seconds : options_.limit_s);
        for (std::size_t slot = 0; slot < contenders_.size(); ++slot) spawn(slot);
        auto next = Clock::now();
        while (!counters_.finished && Clock::now() < limit) {
            ::usleep(500);
            continue_stopped(Clock::now());
            if (options_.kill_rate <= 0 || Clock::now() < next) continue;
            disturb();
            next = Clock::now() + std::chrono::microseconds(static_cast<long>(
                                      1e6 / options_.kill_rate * (0.5 + static_cast<double>(random_() % 1000) / 1000)));
        }
        timed_out_ = !by_time && !counters_.finished;
        counters_.finished = true;
        seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
        collect();
    }

    long kills() const { return kills_; }
    long stops() const { return stops_; }
    bool timed_out() const { return timed_out_; }
    double seconds() const { return seconds_; }

  private:
    void spawn(std::size_t slot) {
        const pid_t parent = ::getpid();
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent) ::_exit(1);
            contend(options_, slot, directory_, counters_);
        }
        contenders_[slot] = Contender{pid, Clock::time_point::max()};
    }

    void disturb() {
        const std::size_t slot = random_() % contenders_.size();
        Contender& victim = contenders_[slot];
        const bool is_script = slot >= options_.contenders;
        if ((is_script || random_() % 4 == 0) && victim.continue_at == Clock::time_point::max()) {
            ::kill(victim.pid, SIGSTOP);
            victim.continue_at = Clock::now() + std::chrono::milliseconds(1 + random_() % 20);
            ++stops_;
            return;
        }
        if (is_script) return;
        ::kill(victim.pid, SIGKILL);
        ::waitpid(victim.pid, nullptr, 0);
        ++kills_;
        spawn(slot);
    }

    void continue_stopped(Clock::time_point now) {
        for (Contender& contender : contenders_) {
            if (now < contender.continue_at) continue;
            ::kill(contender.pid, SIGCONT);
            contender.continue_at = Clock::time_point::max();
        }
    }

    void collect() {
        continue_stopped(Clock::time_point::max());
        const auto patience = Clock::now() + std::chrono::seconds(30);
        for (const Contender& contender : contenders_) {
            ::kill(contender.pid, SIGCONT);
            while (::waitpid(contender.pid, nullptr, WNOHANG) == 0) {
                if (Clock::now() > patience) {
                    timed_out_ = true;
                    ::kill(contender.pid, SIGKILL);
                }
                ::usleep(1000);
            }
        }
    }

    const Options& options_;
    const std::string& directory_;
    Counters& counters_;
    std::vector<Contender> contenders_;
    std::minstd_rand random_{static_cast<unsigned>(::getpid())};
    long kills_ = 0;
    long stops_ = 0;
    bool timed_out_ = false;
    double seconds_ = 0;
};

/// One last time, undisturbed: is anything left?
bool leaks(const std::string& directory) {
    auto path = lockstep::LockPath::open(directory + "/stress.lock");
    if (!path) return true;
    auto lock = lockstep::DirectoryLock::acquire(*path, {}, {});
    return !lock || !lock->release() || std::filesystem::exists(directory + "/stress.lock");
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    std::string directory = options.root + "/lock-stress-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) {
        std::perror(directory.c_str());
        return 73;
    }
    void* page = ::mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 71;
    auto& counters = *new (page) Counters{};

    Killer killer(options, directory, counters);
    killer.run();
    // What a killed one leaves is for the next run; where nobody was killed there is nothing.
    const bool left = killer.kills() == 0 && std::filesystem::exists(directory + "/stress.lock");
    const bool leaked = options.protocol == Protocol::lockstep && (leaks(directory) || left);
    const auto first = std::begin(counters.per_slot);
    const auto last = first + static_cast<std::ptrdiff_t>(options.contenders);
    long by_scripts = 0;
    for (std::size_t i = 0; i < options.scripts; ++i) by_scripts += counters.per_slot[options.contenders + i];
    const long fewest = *std::min_element(first, last, [](const auto& a, const auto& b) { return a.load() < b.load(); });
    const long most = *std::max_element(first, last, [](const auto& a, const auto& b) { return a.load() < b.load(); });
    long longest_wait = 0;
    for (const auto& wait : counters.longest_wait_us) longest_wait = std::max(longest_wait, wait.load());
    std::filesystem::remove_all(directory);

    std::printf("%s: %ld sections in %.1f s, %ld killed, %ld stopped, %ld adopted, %ld by scripts, readers met %ld times\n",
                options.root.c_str(), counters.sections.load(), killer.seconds(), killer.kills(), killer.stops(),
                counters.adopted.load(), by_scripts, counters.together.load());
    std::printf("  overlaps %ld, lock left %s, lost %ld, errors %ld, sections a contender %ld to %ld, longest wait %.1f ms%s\n",
                counters.overlaps.load(), leaked ? "YES" : "no", counters.lost.load(), counters.errors.load(), fewest, most,
                static_cast<double>(longest_wait) / 1000, killer.timed_out() ? ", TIMED OUT" : "");
    if (options.expect_overlap) return counters.overlaps > 0 ? 0 : 1;
    const bool right = counters.overlaps == 0 && !leaked && counters.lost == 0 && counters.errors == 0 && fewest > 0 &&
                       !killer.timed_out() && (options.scripts == 0 || by_scripts > 0) &&
                       (options.readers == 0 || counters.together > 0);
    return right ? 0 : 1;
}
