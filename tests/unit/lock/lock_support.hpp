#pragma once
// Locks, files and other processes for the tests of the lock.

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lock/directory_lock.hpp"
#include "lock/lock_steps.hpp"
#include "support/temporary_directory.hpp"

namespace lock_test {

using namespace lockstep;

using lockstep::testing::TemporaryDirectory;

inline bool exists(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0;
}

inline mode_t mode_of(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

/// What can be read; files below /proc may vanish or fail in the middle.
inline std::string read_all(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char buffer[4096];
    ssize_t length = 0;
    while (file && (length = ::read(file.get(), buffer, sizeof buffer)) > 0)
        text.append(buffer, static_cast<std::size_t>(length));
    return text;
}

inline void write_all(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

/// @return whether the condition became true within a minute
inline bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

/// Is some thread of the process asleep in flock(2)? Field 1 of /proc/PID/task/TID/syscall is the call's number.
inline bool sleeps_in_flock(pid_t pid) {
    std::error_code ignored;
    std::filesystem::directory_iterator task("/proc/" + std::to_string(pid) + "/task", ignored);
    for (; task != std::filesystem::directory_iterator(); task.increment(ignored)) {
        if (read_all(task->path() / "syscall").starts_with(std::to_string(SYS_flock) + " ")) return true;
    }
    return false;
}

inline LockRecord record_of(const std::string& run_id) {
    LockRecord record;
    record.run_id = run_id;
    record.job = "ship-orders";
    return record;
}

inline Result<DirectoryLock> acquire(const std::string& path, LockWait wait = {}, LockRecord record = record_of("r1"),
                                     LockMode mode = LockMode::exclusive) {
    auto place = LockPath::open(path);
    if (!place) return std::unexpected(place.error());
    return DirectoryLock::acquire(*place, record, wait, mode);
}

inline LockWait for_at_most(int millis) {
    LockWait wait;
    wait.limit = Millis{millis};
    return wait;
}

inline std::string error_of(const std::string& path, LockWait wait = {}, LockRecord record = record_of("r1")) {
    auto lock = acquire(path, std::move(wait), std::move(record));
    return lock ? "" : lock.error().text;
}

/// Is a thread of an earlier wait still ending?
inline bool is_watching() {
    std::error_code ignored;
    std::filesystem::directory_iterator task("/proc/self/task", ignored);
    for (; task != std::filesystem::directory_iterator(); task.increment(ignored)) {
        if (read_all(task->path() / "comm") == "lock-watch\n") return true;
    }
    return false;
}

/// A child process that runs `body` and then sleeps until it is told to go on or killed. Ready once `body` has returned.
class Process {
  public:
    explicit Process(const std::function<int()>& body) {
        int ready[2];
        int go[2];
        if (::pipe2(ready, O_CLOEXEC) != 0 || ::pipe2(go, O_CLOEXEC) != 0) std::abort();
        // What is forked beside another thread may start none itself, says ThreadSanitizer.
        if (!eventually([] { return !is_watching(); })) std::abort();
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ready[0]);
            ::close(go[1]);
            ready_fd = ready[1];
            go_fd = go[0];
            ::_exit(body());
        }
        ::close(ready[1]);
        ::close(go[0]);
        ready_.reset(ready[0]);
        go_.reset(go[1]);
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() {
        if (pid_ > 0) kill();
    }

    pid_t pid() const { return pid_; }
    /// Waits for the child's say_ready() (or its end).
    bool ready() const {
        char byte = 0;
        return ::read(ready_.get(), &byte, 1) == 1;
    }
    /// By a byte: an end of file would not come while a later child still has its copy of our end.
    void go_on() {
        const char byte = 1;
        if (::write(go_.get(), &byte, 1) != 1) std::abort();
    }
    int kill() {
        ::kill(pid_, SIGKILL);
        return join();
    }
    /// The exit status, or 128 + signal.
    int join() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    /// In the child: tells the parent, then sleeps until go_on().
    static void say_ready_and_wait() {
        say_ready();
        char byte = 0;
        if (::read(go_fd, &byte, 1) < 0) ::_exit(99);
    }
    static void say_ready() {
        const char byte = 1;
        if (::write(ready_fd, &byte, 1) != 1) ::_exit(99);
    }

  private:
    static inline int ready_fd = -1;
    static inline int go_fd = -1;
    pid_t pid_ = -1;
    UniqueFd ready_;
    UniqueFd go_;
};

/// A process that holds the lock at `path` until it is told to go on; its exit status is 0 if it could release it.
class Holder : public Process {
  public:
    explicit Holder(const std::string& path, LockRecord record = record_of("holder"))
        : Process([&] {
              auto lock = acquire(path, {}, std::move(record));
              if (!lock) return 1;
              say_ready_and_wait();
              return lock->release() ? 0 : 2;
          }) {
        if (!ready()) std::abort();
    }
};

/// What a command has inherited, and is to be known by.
enum class MarkedBy { record, file };

/// A run that marks its command, starts it and is killed; the command goes on until its standard input ends.
class Orphan {
  public:
    explicit Orphan(const std::string& path, MarkedBy by = MarkedBy::record, LockMode mode = LockMode::exclusive) {
        void* shared = ::mmap(nullptr, sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED) std::abort();
        auto* pid = static_cast<pid_t*>(shared);
        int input[2];
        if (::pipe2(input, O_CLOEXEC) != 0) std::abort();
        input_.reset(input[1]);
        const UniqueFd read_end(input[0]);
        Process run([&] {
            auto lock = acquire(path, {}, record_of("dead"), mode);
            if (!lock) return 1;
            auto mark = by == MarkedBy::file ? lock->mark_command() : Result<CommandMark>(CommandMark{});
            if (!mark) return 2;
            const int inherited = by == MarkedBy::file ? mark->fd.get() : lock->lend_record();
            const pid_t command = ::fork();
            if (command == 0) {
                ::dup2(read_end.get(), 0);
                if (by == MarkedBy::record && mark_record(inherited) != 0) ::_exit(126);
                if (by == MarkedBy::file) write_mark_pid(inherited, ::getpid());
                ::fcntl(inherited, F_SETFD, 0);
                ::execlp("cat", "cat", nullptr);
                ::_exit(127);
            }
            *pid = command;
            Process::say_ready_and_wait();
            return 0;
        });
        if (!run.ready()) std::abort();
        pid_ = *pid;
        ::munmap(shared, sizeof(pid_t));
        // Until its exec the command shares all descriptors of the run, the lock's included.
        if (!eventually([&] { return read_all("/proc/" + std::to_string(pid_) + "/comm") == "cat\n"; })) std::abort();
        run.kill();
    }
    pid_t pid() const { return pid_; }
    void end() { input_.reset(); }

  private:
    pid_t pid_ = -1;
    UniqueFd input_;
};

/// Runs `body` in a child as an unprivileged user (uid 65534); only root can.
inline int as_nobody(const std::function<int()>& body) {
    Process child([&] {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 98;
        return body();
    });
    return child.join();
}

inline bool is_root() { return ::geteuid() == 0; }

}  // namespace lock_test

#define SKIP_UNLESS_ROOT()                     \
    if (!lock_test::is_root()) {               \
        WARN("skipped: this case needs root"); \
        return;                                \
    }
