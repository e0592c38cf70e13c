// How long a lock lies unused between one holder and the next while many wait.
//
//     bench_handoff lock WAITERS ROUNDS PATH           processes asleep in DirectoryLock::acquire()
//     bench_handoff commands WAITERS ROUNDS COMMAND…   each runs COMMAND bench_handoff stamp LOG
//     bench_handoff stamp LOG                          the critical section: notes when it began and ended
//
// All waiters start while a first holder has the lock, so that they sleep when it is given up. Prints the median, and the 95th
// percentile, of the time from the end of one section to the beginning of the next, in µs.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "lock/directory_lock.hpp"

namespace {

using namespace std::chrono_literals;

constexpr auto kSection = 500us;
constexpr auto kUntilAllSleep = 1500ms;

struct Stamp {
    std::int64_t begin_ns;
    std::int64_t end_ns;
};

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A short section is busy, so that no timer's slack is measured; the long one of the first holder leaves the others the
/// processors.
void work(std::chrono::nanoseconds time) {
    if (time > 100ms) return std::this_thread::sleep_for(time);
    for (const auto end = now_ns() + time.count(); now_ns() < end;) {
    }
}

// One write(2) of O_APPEND each: no two stamps mix.
void append(const char* log, const Stamp& stamp) {
    const int fd = ::open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::write(fd, &stamp, sizeof stamp) != sizeof stamp) std::_Exit(1);
    ::close(fd);
}

int stamp_section(const char* log, std::chrono::nanoseconds section) {
    Stamp stamp{now_ns(), 0};
    work(section);
    // Noted just before the section ends; the write is a part of it.
    stamp.end_ns = now_ns();
    append(log, stamp);
    return 0;
}

void wait_in_lock(const std::string& path, std::chrono::nanoseconds section, const char* log) {
    auto place = lockstep::LockPath::open(path);
    lockstep::LockRecord record;
    record.run_id = std::to_string(::getpid());
    record.job = "bench";
    lockstep::LockWait wait;
    wait.forever = true;
    auto lock = place ? lockstep::DirectoryLock::acquire(*place, record, wait) : std::unexpected(place.error());
    if (!lock) {
        std::fprintf(stderr, "%s\n", lock.error().text.c_str());
        std::_Exit(1);
    }
    Stamp stamp{now_ns(), 0};
    work(section);
    stamp.end_ns = now_ns();
    const bool released = lock->release().has_value();
    append(log, stamp);
    std::_Exit(released ? 0 : 1);
}

std::string own_path() {
    char path[4096];
    const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
    return {path, size > 0 ? static_cast<std::size_t>(size) : 0};
}

pid_t start(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t pid = -1;
    return ::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) == 0 ? pid : -1;
}

std::vector<Stamp> read_stamps(const char* log) {
    std::vector<Stamp> stamps;
    const int fd = ::open(log, O_RDONLY | O_CLOEXEC);
    for (Stamp stamp{}; ::read(fd, &stamp, sizeof stamp) == sizeof stamp;) stamps.push_back(stamp);
    ::close(fd);
    std::ranges::sort(stamps, {}, &Stamp::begin_ns);
    return stamps;
}

/// One crowd of waiters, all asleep when the first holder lets go; adds the gaps between their sections.
void one_round(bool library, int waiters, const std::vector<std::string>& words, const char* log, std::vector<double>& gaps) {
    ::unlink(log);
    std::vector<pid_t> pids;
    for (int i = 0; i <= waiters; ++i) {
        if (library) {
            const pid_t pid = ::fork();
            if (pid == 0) wait_in_lock(words[0], i == 0 ? kUntilAllSleep : kSection, log);
            pids.push_back(pid);
        } else {
            std::vector<std::string> command = words;
            command.insert(command.end(), {own_path(), i == 0 ? "hold" : "stamp", log});
            pids.push_back(start(command));
        }
        if (i == 0) std::this_thread::sleep_for(100ms);  // it has the lock now, and keeps it until all the others sleep
    }
    for (const pid_t pid : pids) {
        int status = 0;
        if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0) {
            std::fprintf(stderr, "bench_handoff: a waiter failed, wait status %d\n", status);
            std::exit(1);
        }
    }
    const std::vector<Stamp> stamps = read_stamps(log);
    if (stamps.size() != pids.size()) std::exit(1);
    for (std::size_t i = 1; i < stamps.size(); ++i) {
        const double gap = static_cast<double>(stamps[i].begin_ns - stamps[i - 1].end_ns) / 1000;
        if (gap < 0) {
            std::fprintf(stderr, "bench_handoff: two sections at once\n");
            std::exit(1);
        }
        gaps.push_back(gap);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (argc == 3 && mode == "stamp") return stamp_section(argv[2], kSection);
    if (argc == 3 && mode == "hold") return stamp_section(argv[2], kUntilAllSleep);
    if (argc < 5 || (mode != "lock" && mode != "commands")) {
        std::fputs("usage: bench_handoff lock|commands WAITERS ROUNDS PATH|COMMAND…\n", stderr);
        return 64;
    }
    const std::string log = "/tmp/bench_handoff." + std::to_string(::getpid());
    std::vector<double> gaps;
    for (int round = 0; round < std::atoi(argv[3]); ++round) {
        one_round(mode == "lock", std::atoi(argv[2]), {argv + 4, argv + argc}, log.c_str(), gaps);
    }
    ::unlink(log.c_str());
    std::ranges::sort(gaps);
    std::printf("%.0f %.0f\n", gaps[gaps.size() / 2], gaps[gaps.size() * 95 / 100]);
}
