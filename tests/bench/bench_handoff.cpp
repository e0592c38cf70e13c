// How long a lock lies unused between one holder and the next, what that costs, and who gets it, while many want it all the
// time.
//
//     bench_handoff lock      WAITERS SECONDS PATH        asleep in DirectoryLock::acquire()
//     bench_handoff directory WAITERS SECONDS PATH        asleep in flock(2) on a directory that stays
//     bench_handoff mkdir     WAITERS SECONDS PATH        mkdir, and again 10 ms later if it is there
//     bench_handoff command   WAITERS SECONDS COMMAND…    each time anew: COMMAND bench_handoff stamp LOG WAITER
//
// Each waiter is a process that takes the lock, works for 200 µs, gives it back and wants it again. Prints, in µs, the median
// and the 99th percentile of the time from the end of one section to the beginning of the next, the processor time that a
// section took beside its work, and how often the waiters got the lock: the least and the most of them.

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lock/directory_lock.hpp"

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSectionNs = 200'000;

struct Stamp {
    std::int64_t waiter;
    std::int64_t begin_ns;
    std::int64_t end_ns;
};

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "bench_handoff: %s\n", why.c_str());
    std::_Exit(1);
}

/// One write(2) of O_APPEND: no two stamps mix.
void append(const char* log, const Stamp& stamp) {
    const int fd = ::open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::write(fd, &stamp, sizeof stamp) != sizeof stamp) give_up("the log cannot be written");
    ::close(fd);
}

/// Busy, so that no timer's slack is measured.
Stamp section(int waiter) {
    const std::int64_t begin = now_ns();
    std::int64_t now = begin;
    while (now < begin + kSectionNs) now = now_ns();
    return {waiter, begin, now};
}

/// The lock by which they exclude each other: what to do to get it, and to give it back.
struct Exclusion {
    std::function<void()> take;
    std::function<void()> give_back;
};

Exclusion by_lock(const std::string& path) {
    const auto held = std::make_shared<std::optional<lockstep::DirectoryLock>>();
    return {[held, path] {
                auto place = lockstep::LockPath::open(path);
                if (!place) give_up(place.error().text);
                lockstep::LockRecord record;
                record.run_id = std::to_string(::getpid());
                record.job = "bench";
                lockstep::LockWait wait;
                wait.limit = std::nullopt;
                auto lock = lockstep::DirectoryLock::acquire(*place, record, wait);
                if (!lock) give_up(lock.error().text);
                held->emplace(std::move(*lock));
            },
            [held] {
                if (const auto released = (*held)->release(); !released) give_up(released.error().text);
                held->reset();
            }};
}

Exclusion by_directory(const std::string& path) {
    ::mkdir(path.c_str(), 0700);
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return {[fd] {
                if (::flock(fd, LOCK_EX) != 0) give_up("flock");
            },
            [fd] { ::flock(fd, LOCK_UN); }};
}

Exclusion by_mkdir(const std::string& path) {
    return {[path] {
                while (::mkdir(path.c_str(), 0700) != 0) std::this_thread::sleep_for(10ms);
            },
            [path] { ::rmdir(path.c_str()); }};
}

void wait_in_turn(const std::function<Exclusion()>& make, int waiter, std::int64_t until_ns, const char* log) {
    const Exclusion exclusion = make();  // not before the fork: each has a descriptor of its own
    while (now_ns() < until_ns) {
        exclusion.take();
        const Stamp stamp = section(waiter);
        exclusion.give_back();
        append(log, stamp);
    }
}

std::string own_path() {
    char path[4096];
    const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
    return {path, size > 0 ? static_cast<std::size_t>(size) : 0};
}

void run(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t pid = -1;
    int status = 0;
    if (::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0 || ::waitpid(pid, &status, 0) != pid ||
        status != 0) {
        give_up(words[0] + " failed, wait status " + std::to_string(status));
    }
}

void run_in_turn(std::vector<std::string> command, int waiter, std::int64_t until_ns, const char* log) {
    command.insert(command.end(), {own_path(), "stamp", log, std::to_string(waiter)});
    while (now_ns() < until_ns) run(command);
}

std::vector<Stamp> read_stamps(const char* log) {
    std::vector<Stamp> stamps;
    const int fd = ::open(log, O_RDONLY | O_CLOEXEC);
    for (Stamp stamp{}; ::read(fd, &stamp, sizeof stamp) == sizeof stamp;) stamps.push_back(stamp);
    ::close(fd);
    std::ranges::sort(stamps, {}, &Stamp::begin_ns);
    return stamps;
}

double processor_us() {
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto us = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
    };
    return us(usage.ru_utime) + us(usage.ru_stime);
}

void report(const std::vector<Stamp>& stamps, int waiters, std::int64_t from_ns, std::int64_t until_ns) {
    std::vector<double> gaps;
    std::map<std::int64_t, int> turns;
    for (int i = 0; i < waiters; ++i) turns[i] = 0;
    for (std::size_t i = 0; i < stamps.size(); ++i) {
        // What comes later is the end of the race: ever fewer waiters.
        if (stamps[i].begin_ns < from_ns || stamps[i].begin_ns >= until_ns) continue;
        ++turns[stamps[i].waiter];
        if (i == 0) continue;
        const std::int64_t gap = stamps[i].begin_ns - stamps[i - 1].end_ns;
        if (gap < 0) give_up("two sections at once");
        gaps.push_back(static_cast<double>(gap) / 1000);
    }
    if (gaps.empty()) give_up("nobody got the lock");
    std::ranges::sort(gaps);
    const auto by_turns = [](const auto& a, const auto& b) { return a.second < b.second; };
    const auto [least, most] = std::ranges::minmax_element(turns, by_turns);
    const double beside = processor_us() / static_cast<double>(stamps.size()) - static_cast<double>(kSectionNs) / 1000;
    std::printf("%.0f %.0f %.0f %d %d\n", gaps[gaps.size() / 2], gaps[gaps.size() * 99 / 100], std::max(0.0, beside),
                least->second, most->second);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (argc == 4 && mode == "stamp") {
        append(argv[2], section(std::atoi(argv[3])));
        return 0;
    }
    using Maker = Exclusion (*)(const std::string&);
    const std::map<std::string, Maker> makers = {
        {"lock", by_lock}, {"directory", by_directory}, {"mkdir", by_mkdir}, {"command", nullptr}};
    if (argc < 5 || !makers.contains(mode)) {
        std::fputs("usage: bench_handoff lock|directory|mkdir|command WAITERS SECONDS PATH|COMMAND…\n", stderr);
        return 64;
    }
    const Maker maker = makers.at(mode);
    const int waiters = std::atoi(argv[2]);
    const std::string log = "/tmp/bench_handoff." + std::to_string(::getpid());
    const std::vector<std::string> words(argv + 4, argv + argc);
    // Not counted: until all have begun.
    const std::int64_t from_ns = now_ns() + 500'000'000 + std::int64_t{waiters} * 4'000'000;
    const std::int64_t until_ns = from_ns + static_cast<std::int64_t>(std::atof(argv[3]) * 1e9);
    std::vector<pid_t> pids;
    for (int i = 0; i < waiters; ++i) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            if (maker != nullptr) wait_in_turn([&] { return maker(words[0]); }, i, until_ns, log.c_str());
            if (maker == nullptr) run_in_turn(words, i, until_ns, log.c_str());
            std::_Exit(0);
        }
        pids.push_back(pid);
    }
    bool all_well = true;
    for (const pid_t pid : pids) {
        int status = 0;
        all_well = ::waitpid(pid, &status, 0) == pid && status == 0 && all_well;
    }
    const std::vector<Stamp> stamps = read_stamps(log.c_str());
    ::unlink(log.c_str());
    if (!all_well) give_up("a waiter failed");
    report(stamps, waiters, from_ns, until_ns);
    return 0;
}
