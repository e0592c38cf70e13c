#include "run/exec_guardian.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <cstring>
#include <string_view>

#include "base/clock.hpp"
#include "base/exit_status.hpp"
#include "lock/directory_lock.hpp"
#include "run/command_line.hpp"
#include "run/run_options.hpp"
#include "run/stop_policy.hpp"
#include "sys/log.hpp"

namespace lockstep {

namespace {

class ExecGuardian {
  public:
    ExecGuardian(const ExecOptions& options, GuardianLink& link) : options_(options), link_(link) {}

    int run() {
        auto signals = open_signal_fd(link_.inherited, true);
        if (!signals) return give_up(signals.error());
        signal_fd_ = std::move(*signals);
        const auto path = LockPath::open(options_.lock);
        if (!path) return give_up(path.error());

        LockRecord record;
        record.run_id = new_run_id();
        record.job = path->name();
        record.guardian_pid = ::getpid();
        record.front_pid = ::getppid();
        record.command = command_line(options_.argv).view();
        auto lock = acquire(*path, record);
        if (!lock) return give_up(lock.error());
        if (const auto& dead = lock->adopted(); dead && !options_.quiet) {
            say("took over what run " + dead->record.run_id + " (" + describe_holder(dead->record) + ") left behind");
        }
        // Once more, now that the lock is ours: from here on a stop waits for the command.
        if (take_notice()) return to_int(ExitStatus::try_again);

        const int status = run_command(*lock);
        if (const auto released = lock->release(); !released) {
            say(released.error().text);
        }
        return status;
    }

  private:
    Result<DirectoryLock> acquire(const LockPath& path, const LockRecord& record) {
        LockWait wait;
        wait.forever = options_.wait_forever;
        wait.limit = options_.wait;
        // Only a wait needs something to wake it: one descriptor that is readable when a signal or a notice is.
        UniqueFd wake;
        if (wait.forever || wait.limit.count() > 0) {
            wake.reset(::epoll_create1(EPOLL_CLOEXEC));
            for (const int fd : {signal_fd_.get(), link_.socket.get()}) {
                epoll_event event{};
                event.events = EPOLLIN;
                ::epoll_ctl(wake.get(), EPOLL_CTL_ADD, fd, &event);
            }
            wait.wake_fd = wake.get();
            wait.on_wait = [this](const std::string& holder) {
                if (!options_.quiet) say("waiting: " + holder);
            };
        }
        return DirectoryLock::acquire(path, record, wait);
    }

    int run_command(DirectoryLock& lock) {
        auto mark = lock.mark_command(1, "");
        if (!mark) {
            say(mark.error().text);
            return to_int(ExitStatus::lock);
        }
        const pid_t pid = start(mark->get());
        if (pid > 0) write_pid(mark->get(), pid);
        mark->reset();
        if (pid < 0) {
            say(std::string(options_.argv[0]) + ": " + errno_text(-pid));
            return to_int(-pid == ENOENT ? ExitStatus::not_found : ExitStatus::cannot_execute);
        }
        link_.commands->add(pid);
        const int status = wait_for(pid);
        link_.commands->remove(pid);
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

    /// For an adopter, should we be killed: whose mark this is.
    static void write_pid(int mark_fd, pid_t pid) {
        const std::string text = "pid " + std::to_string(pid) + "\n";
        [[maybe_unused]] const ssize_t written = ::pwrite(mark_fd, text.data(), text.size(), 0);
    }

    /// @return the pid, or -errno when the command could not be started
    pid_t start(int mark_fd) {
        // A terminal belongs to the front's session; a command that reads from it would stop, or take what is typed for the
        // shell.
        UniqueFd null_input;
        if (::isatty(STDIN_FILENO) != 0) null_input.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY));
        volatile int error = 0;  // written by the child: after vfork(2) both share the memory
        // vfork: the child's few system calls touch no page that it would have to copy.
        const pid_t pid = ::vfork();  // NOLINT(bugprone-unsafe-functions)
        if (pid == 0) {
            ::setpgid(0, 0);
            if (null_input) ::dup2(null_input.get(), STDIN_FILENO);
            ::fcntl(mark_fd, F_SETFD, 0);
            // SIGCHLD and the stop signals still have the actions that we were started with; only the mask was changed.
            ::sigprocmask(SIG_SETMASK, &link_.inherited.mask, nullptr);
            ::execvp(options_.argv[0], options_.argv);
            error = errno;
            ::_exit(127);
        }
        if (pid < 0) return -errno;
        if (error != 0) {
            ::waitpid(pid, nullptr, 0);
            return -error;
        }
        return pid;
    }

    int wait_for(pid_t pid) {
        StopPolicy policy(options_.grace, true);
        for (;;) {
            int status = 0;
            if (::waitpid(pid, &status, WNOHANG) == pid) return status;
            pollfd wait[2] = {{signal_fd_.get(), POLLIN, 0}, {front_is_dead_ ? -1 : link_.socket.get(), POLLIN, 0}};
            const auto deadline = policy.deadline();
            ::poll(wait, 2, deadline ? millis_until(*deadline) : -1);
            if (const auto notice = take_notice()) {
                act(policy.on_request(*notice, monotonic_now()), describe(*notice), pid, policy.deadline());
            }
            if (policy.deadline() && monotonic_now() >= *policy.deadline()) {
                act(policy.on_deadline(), "the grace of " + format_duration(*options_.grace) + " is used up", pid, {});
            }
        }
    }

    void act(StopPolicy::Action action, const std::string& why, pid_t pid, const std::optional<MonotonicTime>& forward_at) {
        const std::string command = std::string(options_.argv[0]) + " (pid " + std::to_string(pid) + ")";
        if (action == StopPolicy::Action::cut) {
            ::kill(-pid, SIGTERM);
            return say(why + ": SIGTERM sent to " + command + "; waiting for its end");
        }
        if (action == StopPolicy::Action::ask) {
            return say(why + ": waiting for " + command + "; press Ctrl-C once more within 5 s to send it SIGTERM");
        }
        // Ten thousand signals are no reason for ten thousand lines.
        const MonotonicTime now = monotonic_now();
        if (options_.quiet || (said_at_ && now - *said_at_ < Millis{200})) return;
        said_at_ = now;
        std::string line = why + ": waiting for " + command;
        if (forward_at) line += ", SIGTERM for it in " + describe_duration(Millis{millis_until(*forward_at)});
        say(line);
    }

    /// The next stop request from the kernel or the front; SIGCHLD only wakes us.
    std::optional<StopNotice> take_notice() {
        while (const auto notice = read_signal(signal_fd_.get())) {
            if (notice->signal != SIGCHLD) return notice;
        }
        if (front_is_dead_) return std::nullopt;
        const auto notice = read_notice(link_.socket.get());
        if (notice && notice->signal == 0) front_is_dead_ = true;
        return notice;
    }

    int give_up(const Error& error) {
        if (error.failure == Failure::busy) {
            if (!options_.quiet) say(error.text);
            return options_.busy_status;
        }
        if (error.failure == Failure::stopped) return to_int(exit_status_of(error.failure));
        // What is wrong with a place is said beginning with the place: once is enough.
        const bool named = error.text.find(options_.lock) != std::string::npos;
        named ? log::write_now(STDERR_FILENO, "lockstep: " + error.text + "\n") : say(error.text);
        return to_int(exit_status_of(error.failure));
    }

    void say(const std::string& line) const {
        log::write_now(STDERR_FILENO, std::string("lockstep: ") + options_.lock + ": " + line + "\n");
    }

    const ExecOptions& options_;
    GuardianLink& link_;
    UniqueFd signal_fd_;
    bool front_is_dead_ = false;
    std::optional<MonotonicTime> said_at_;
};

}  // namespace

int exec_under_lock(const ExecOptions& options, GuardianLink& link) { return ExecGuardian(options, link).run(); }

}  // namespace lockstep
