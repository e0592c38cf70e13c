// Why clone(2) and not posix_spawn(3): a shielded command must start with TERM, INT, HUP and QUIT ignored. posix_spawn can only
// reset signals to their default, so we would have to ignore them ourselves around the call, for all threads, and setting
// SIG_IGN throws away a signal that is pending at that moment, even a blocked one (POSIX, sigaction): a stop request would be
// lost. What posix_spawn does inside does it all: CLONE_VM|CLONE_VFORK without CLONE_SIGHAND gives the child a signal table of
// its own, copies no page tables, and suspends the calling thread until exec, so that the child can use our memory and tell us
// its errno.

#include "sys/subprocess.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifdef __SANITIZE_THREAD__
// ThreadSanitizer's own clone() marks the process as forked, in the memory that the child shares with us.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
#define clone __clone
#endif

namespace lockstep {

namespace {

constexpr std::array kShieldedSignals = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
constexpr int kStandardStreams = 3;
constexpr int kUnknownStatus = 255;

/// All that the child needs, made before it exists: it shares our memory, so it must not allocate.
struct ChildPlan {
    std::vector<std::string> programs;  // what execve(2) is tried with, in order
    std::vector<char*> argv;
    std::vector<char*> environment;
    const char* cwd = nullptr;
    std::array<int, kStandardStreams> streams{-1, -1, -1};
    const std::vector<int>* kept_fds = nullptr;
    bool shield = false;
    void (*on_begin)(void* context, pid_t child) = nullptr;
    void* context = nullptr;
    pid_t parent = -1;
    // What the child reports back, through our memory, if it does not become the program:
    int failed_errno = 0;
    bool failed_in_cwd = false;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

/// PATH as the child will have it.
std::string_view search_path(const SpawnRequest& request) {
    constexpr std::string_view kName = "PATH=";
    constexpr std::string_view kDefault = "/usr/bin:/bin";
    if (!request.environment) {
        const char* ours = std::getenv("PATH");
        return ours != nullptr ? ours : kDefault;
    }
    for (const std::string_view entry : *request.environment) {
        if (entry.starts_with(kName)) return entry.substr(kName.size());
    }
    return kDefault;
}

// The child's half runs in our memory beside our other threads: system calls only. The sanitizers keep books in that memory
// about the process that the child is not, hence without them, and hence the raw calls where they have interceptors.
#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

IN_CHILD void set_signals(bool shield) {
    struct {
        void (*handler)(int);
        unsigned long rest[18];
    } action{};  // the kernel's struct sigaction: the handler comes first, flags and mask are zero
    constexpr std::size_t kKernelSetSize = 8;
    for (int number = 1; number <= 64; ++number) {
        action.handler = SIG_DFL;
        for (const int shielded : kShieldedSignals) {
            if (shield && number == shielded) action.handler = SIG_IGN;
        }
        ::syscall(SYS_rt_sigaction, number, &action, nullptr, kKernelSetSize);
    }
    const unsigned long none[2] = {0, 0};
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, nullptr, kKernelSetSize);
}

IN_CHILD bool set_descriptors(ChildPlan& plan) {
    // A source that is itself a low number would be overwritten before its turn: out of the way first.
    for (int target = 0; target < kStandardStreams; ++target) {
        int& source = plan.streams[static_cast<std::size_t>(target)];
        if (source < 0 || source >= kStandardStreams || source == target) continue;
        source = ::fcntl(source, F_DUPFD_CLOEXEC, kStandardStreams);
        if (source < 0) return false;
    }
    for (int target = 0; target < kStandardStreams; ++target) {
        const int source = plan.streams[static_cast<std::size_t>(target)];
        if (source == target && ::fcntl(source, F_SETFD, 0) != 0) return false;
        if (source >= 0 && source != target && ::syscall(SYS_dup3, source, target, 0) < 0) return false;
    }
    // The child's table of descriptors is a copy: clearing the flag here gives the descriptor to nobody else's child.
    for (const int fd : *plan.kept_fds) {
        if (::fcntl(fd, F_SETFD, 0) != 0) return false;
    }
    return true;
}

IN_CHILD int exec_first_found(const ChildPlan& plan) {
    int result = ENOENT;
    for (const std::string& program : plan.programs) {
        ::syscall(SYS_execve, program.c_str(), plan.argv.data(), plan.environment.data());
        // As in execvp(3): keep looking, but remember that a file was there and not allowed.
        if (errno == EACCES) {
            result = EACCES;
        } else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV && errno != ETIMEDOUT) {
            return errno;
        }
    }
    return result;
}

IN_CHILD int child_main(void* argument) {
    ChildPlan& plan = *static_cast<ChildPlan*>(argument);
    ::setpgid(0, 0);
    if (plan.on_begin != nullptr) {
        plan.on_begin(plan.context, static_cast<pid_t>(::syscall(SYS_getpid)));
        if (::syscall(SYS_getppid) != plan.parent) ::syscall(SYS_exit_group, 127);
    }
    if (!set_descriptors(plan)) {
        plan.failed_errno = errno;
    } else if (plan.cwd != nullptr && ::chdir(plan.cwd) != 0) {
        plan.failed_errno = errno;
        plan.failed_in_cwd = true;
    } else {
        // Signals last: while they were blocked, no handler of ours could run in the child, on memory that is still ours.
        set_signals(plan.shield);
        plan.failed_errno = exec_first_found(plan);
    }
    ::syscall(SYS_exit_group, 127);
    return 127;
}

struct Started {
    pid_t pid = -1;
    UniqueFd pidfd;
};

/// @return pid -1 with errno set if there is no process to be had
Started start_child(ChildPlan& plan) {
    // The child runs on a piece of this frame, which stays as it is until the child has its own memory.
    alignas(16) std::array<char, 16 * 1024> stack;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pidfd = -1;
    Started started;
    started.pid =
        ::clone(child_main, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
    const int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = saved;
    if (started.pid > 0) started.pidfd.reset(pidfd);
    return started;
}

std::unexpected<Error> cannot_start(const SpawnRequest& request, const ChildPlan& plan) {
    const std::string& name = request.argv.front();
    if (plan.failed_in_cwd) {
        return os_error(Failure::os, "starting " + name + ": entering directory " + request.cwd, plan.failed_errno);
    }
    if (plan.failed_errno == ENOENT && name.find('/') == std::string::npos) {
        return fail(Failure::os, "starting " + name + ": there is no such program in PATH", ENOENT);
    }
    const std::string where = request.cwd.empty() ? "" : " in " + request.cwd;
    const char* advice = "";
    if (plan.failed_errno == ENOENT) advice = " (the file itself or, if it is a script, its interpreter)";
    if (plan.failed_errno == EACCES) advice = " (is it executable? chmod +x)";
    if (plan.failed_errno == ENOEXEC) advice = " (a script needs a first line like #!/bin/sh)";
    return fail(Failure::os, "starting " + name + where + ": " + errno_text(plan.failed_errno) + advice, plan.failed_errno);
}

}  // namespace

std::vector<std::string> program_candidates(const std::string& name, std::string_view path) {
    if (name.find('/') != std::string::npos) return {name};
    std::vector<std::string> candidates;
    if (name.empty()) return candidates;
    while (true) {
        const std::size_t colon = path.find(':');
        const std::string_view directory = path.substr(0, colon);
        candidates.push_back(directory.empty() ? name : std::string(directory) + "/" + name);
        if (colon == std::string_view::npos) return candidates;
        path.remove_prefix(colon + 1);
    }
}

Result<Subprocess> Subprocess::spawn(const SpawnRequest& request) {
    if (request.argv.empty()) return fail(Failure::os, "starting a command: it has no name", EINVAL);
    ChildPlan plan;
    plan.programs = program_candidates(request.argv.front(), search_path(request));
    plan.argv = pointers(request.argv);
    if (request.environment) {
        plan.environment = pointers(*request.environment);
    } else {
        for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) plan.environment.push_back(*entry);
        plan.environment.push_back(nullptr);
    }
    plan.cwd = request.cwd.empty() ? nullptr : request.cwd.c_str();
    plan.streams = {request.stdin_fd, request.stdout_fd, request.stderr_fd};
    plan.kept_fds = &request.kept_fds;
    plan.shield = request.shield;
    plan.on_begin = request.on_begin;
    plan.context = request.context;
    plan.parent = ::getpid();

    Started started = start_child(plan);
    if (started.pid < 0) return os_error(Failure::os, "starting " + request.argv.front() + ": making a process");
    if (plan.failed_errno != 0) {
        ::waitpid(started.pid, nullptr, 0);
        return cannot_start(request, plan);
    }
    return Subprocess(started.pid, std::move(started.pidfd));
}

bool Subprocess::has_ended() const {
    pollfd wait{pidfd_.get(), POLLIN, 0};
    return ended_ || ::poll(&wait, 1, 0) == 1;
}

bool Subprocess::try_wait(WaitStatus& status) {
    if (!ended_) {
        int raw = 0;
        const pid_t reaped = ::waitpid(pid_, &raw, WNOHANG);
        if (reaped == 0) return false;
        ended_ = true;
        if (reaped < 0) {
            status_.exit_status = kUnknownStatus;  // ECHILD: somebody else collected it
        } else if (WIFSIGNALED(raw)) {
            status_.signal = WTERMSIG(raw);
        } else {
            status_.exit_status = WEXITSTATUS(raw);
        }
    }
    status = status_;
    return true;
}

WaitStatus Subprocess::wait() {
    WaitStatus status;
    while (!try_wait(status)) {
        pollfd wait{pidfd_.get(), POLLIN, 0};
        ::poll(&wait, 1, -1);
    }
    return status;
}

void Subprocess::signal_group(int signal) const { ::kill(-pid_, signal); }

char Subprocess::state() const {
    const UniqueFd fd(::open(("/proc/" + std::to_string(pid_) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 512> text{};
    const ssize_t length = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
    if (length <= 0) return 0;
    // "812 (name) S …": the name may hold blanks and brackets, so the last bracket counts.
    const std::string_view line(text.data(), static_cast<std::size_t>(length));
    const std::size_t bracket = line.rfind(')');
    return bracket != std::string_view::npos && bracket + 2 < line.size() ? line[bracket + 2] : '\0';
}

int Subprocess::newly_stopped_by() {
    siginfo_t info{};
    if (ended_ || ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WNOHANG) != 0) return 0;
    return info.si_pid == pid_ ? info.si_status : 0;
}

}  // namespace lockstep
