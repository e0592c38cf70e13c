#include "run/front.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>

#include "base/error.hpp"
#include "base/exit_status.hpp"
#include "base/text_buffer.hpp"
#include "sys/log.hpp"
#include "sys/standard_streams.hpp"

namespace lockstep {

namespace {

/// No std::string: this is said before the C++ runtime has started, too (the room start).
void say(FrontVoice* voice, const char* name, std::string_view line) {
    if (voice != nullptr) return voice->say(line);
    TextBuffer<1024> text;
    text.append("lockstep: ").append(std::string_view(name).substr(0, 300)).append(": ").append(line).append("\n");
    log::write_now(STDERR_FILENO, text);
}

class Front {
  public:
    Front(const InheritedSignals& inherited, const char* name, UniqueFd socket, CommandTable& commands, pid_t guardian,
          const FrontDuties& duties)
        : inherited_(inherited),
          name_(name),
          socket_(std::move(socket)),
          commands_(commands),
          guardian_(guardian),
          voice_(duties.voice),
          listener_(duties.listener),
          terminal_(duties.terminal) {}

    int wait() {
        sigset_t set = stop_signals(inherited_);
        ::sigaddset(&set, SIGCHLD);
        if (listener_ != nullptr) ::sigaddset(&set, SIGIO);
        if (terminal_ != nullptr) {
            ::sigaddset(&set, SIGTSTP);
            ::sigaddset(&set, SIGCONT);
        }
        while (!guardian_ended_ || waiting_for_orphans()) {
            siginfo_t info{};
            const int signal = ::sigwaitinfo(&set, &info);
            if (signal == SIGCHLD) {
                reap();
            } else if (signal == SIGIO) {
                hear();
            } else if (signal == SIGTSTP) {
                suspend_command();
            } else if (signal == SIGCONT) {
                ::kill(guardian_, SIGCONT);
            } else if (signal > 0) {
                pass_on(StopRequest::from(info));
            }
        }
        hear();
        return result();
    }

  private:
    void pass_on(const StopRequest& request) {
        if (request.signal == SIGINT && request.from_keyboard) interrupted_ = true;
        if (guardian_ended_) return say_nobody_obeys(request);
        // A full socket means that the guardian has hundreds of requests to read already; one that is gone needs none.
        ::send(socket_.get(), &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL);
    }

    void hear() {
        char text[GuardianLink::kLongestMessage + 1];
        while (listener_ != nullptr) {
            const ssize_t length = ::recv(socket_.get(), text, sizeof text - 1, MSG_DONTWAIT);
            if (length <= 0) return;
            text[length] = '\0';
            listener_->told(text);
        }
    }

    /// Every child: our own guardian, its orphans (we are their subreaper), and as pid 1 whatever a container leaves to us.
    void reap() {
        int status = 0;
        const int flags = terminal_ != nullptr ? WNOHANG | WUNTRACED : WNOHANG;
        pid_t pid = 0;
        while ((pid = ::waitpid(-1, &status, flags)) > 0) {
            if (WIFSTOPPED(status)) {
                stop_with(pid, WSTOPSIG(status));
            } else if (pid == guardian_) {
                guardian_ended_ = true;
                guardian_status_ = status;
                if (WIFSIGNALED(status)) say_guardian_killed();
            } else {
                command_ended(pid);
            }
        }
        no_children_ = pid < 0 && errno == ECHILD;
        if (WIFSIGNALED(guardian_status_)) forget_the_reaped();
    }

    void command_ended(pid_t pid) {
        if (terminal_ != nullptr && guardian_ended_ && commands_.contains(pid))
            terminal_->take_back(pid, JobTerminal::Modes::restore);
        commands_.remove(pid);
    }

    /// A command that the guardian had reaped when it was killed is no child of ours: nobody would tell us of its end.
    void forget_the_reaped() {
        std::array<pid_t, CommandTable::kSlots> pids;
        const std::size_t count = commands_.read(pids);
        for (std::size_t i = 0; i < count; ++i) {
            if (::waitpid(pids[i], nullptr, WNOHANG) != 0) command_ended(pids[i]);
        }
    }

    /// The guardian stops because the command did: so do we, and the shell's whole job.
    void stop_with(pid_t pid, int signal) {
        // The command of a killed guardian: nobody is left to take the terminal from it, or to give it back.
        if (pid != guardian_ && commands_.contains(pid)) ::kill(-pid, SIGCONT);
        if (pid != guardian_) return;
        if (!stop_group(signal) && signal != SIGTSTP) commands_.signal_groups(SIGHUP);
        ::kill(guardian_, SIGCONT);
    }

    /// Ctrl-Z while the job has the terminal, not the command: after `fg` of a job that ran on in the background, of which we
    /// hear nothing; or while we wait for the lock.
    void suspend_command() {
        if (commands_.empty()) {
            stop_group(SIGTSTP);
            ::kill(guardian_, SIGCONT);
        } else {
            commands_.signal_groups(SIGTSTP);
        }
    }

    bool waiting_for_orphans() const { return WIFSIGNALED(guardian_status_) && !no_children_ && !commands_.empty(); }

    void say_guardian_killed() const {
        TextBuffer<200> line;
        line.append("the guardian (pid ").append(guardian_);
        line.append(") was killed by ").append(signal_text(WTERMSIG(guardian_status_)));
        if (!commands_.empty()) line.append("; waiting for the commands that it ran");
        say(voice_, name_, line);
    }

    /// The commands may be in the middle of an effect, and whoever asks may not know that: he decides whether to end them.
    void say_nobody_obeys(const StopRequest& request) const {
        std::array<pid_t, 8> pids{};
        const std::size_t count = commands_.read(pids);
        TextBuffer<400> line;
        line.append(signal_text(request.signal));
        if (request.from_keyboard) {
            line.append(" from the keyboard");
        } else {
            line.append(" from pid ").append(request.pid).append(" (uid ").append(request.uid).append(")");
        }
        line.append(": the guardian is dead; waiting for the command").append(count > 1 ? "s (pid" : " (pid");
        for (std::size_t i = 0; i < count; ++i) line.append(" ").append(pids[i]);
        line.append("): kill -TERM");
        for (std::size_t i = 0; i < count; ++i) line.append(" -").append(pids[i]);
        line.append(count > 1 ? " ends them" : " ends it");
        say(voice_, name_, line);
    }

    int result() const {
        if (WIFSIGNALED(guardian_status_)) return to_int(ExitStatus::guardian_killed);
        const int status = WEXITSTATUS(guardian_status_);
        if (terminal_ != nullptr && status == 128 + SIGINT) die_by_interrupt();
        if (interrupted_ && (status == to_int(ExitStatus::ok) || status == to_int(ExitStatus::try_again))) die_by_interrupt();
        return status;
    }

    [[noreturn]] static void die_by_interrupt() {
        ::signal(SIGINT, SIG_DFL);
        sigset_t interrupt;
        ::sigemptyset(&interrupt);
        ::sigaddset(&interrupt, SIGINT);
        ::sigprocmask(SIG_UNBLOCK, &interrupt, nullptr);
        ::raise(SIGINT);
        ::_exit(128 + SIGINT);  // pid 1: the kernel does not deliver a signal that has its default action
    }

    const InheritedSignals& inherited_;
    const char* name_;
    UniqueFd socket_;
    CommandTable& commands_;
    pid_t guardian_;
    FrontVoice* voice_;
    FrontListener* listener_;
    JobTerminal* terminal_;
    int guardian_status_ = 0;
    bool guardian_ended_ = false;
    bool no_children_ = false;
    bool interrupted_ = false;
};

int cannot_start(const char* name, const FrontDuties& duties, const char* what) {
    const std::string line = what + (": " + errno_text(errno));
    say(duties.voice, name, line);
    return to_int(ExitStatus::os);
}

/// The lowest free number tells of a closed standard stream, without a question that every start would pay for.
bool make_socket_pair(int (&pair)[2]) {
    const auto make = [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0; };
    if (!make()) return false;
    if (pair[0] > STDERR_FILENO) return true;
    ::close(pair[0]);
    ::close(pair[1]);
    occupy_closed_streams();
    return make();
}

}  // namespace

int wait_for_guardian(const InheritedSignals& inherited, const char* name, UniqueFd socket, CommandTable& commands,
                      pid_t guardian, const FrontDuties& duties) {
    return Front(inherited, name, std::move(socket), commands, guardian, duties).wait();
}

int run_in_guardian(const InheritedSignals& inherited, const char* name, int (*guardian)(GuardianLink& link, void* context),
                    void* context, const FrontDuties& duties) {
    int pair[2];
    if (!make_socket_pair(pair)) return cannot_start(name, duties, "creating a socket pair");
    UniqueFd front_end(pair[0]);
    UniqueFd guardian_end(pair[1]);
    // SIGIO wakes the front, which otherwise sleeps in sigwaitinfo(2), for a message of the guardian's.
    if (duties.listener != nullptr && (::fcntl(pair[0], F_SETOWN, ::getpid()) != 0 || ::fcntl(pair[0], F_SETFL, O_ASYNC) != 0))
        return cannot_start(name, duties, "listening to the guardian");
    void* shared = ::mmap(nullptr, sizeof(CommandTable), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return cannot_start(name, duties, "mapping the command table");
    auto& commands = *static_cast<CommandTable*>(shared);
    // Orphans of a killed guardian come to us, not to init, so that we can wait for them.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (duties.terminal != nullptr) block_job_control_signals();

    const pid_t pid = ::fork();
    if (pid < 0) return cannot_start(name, duties, "starting the guardian");
    if (pid == 0) {
        front_end.reset();
        duties.terminal != nullptr ? ::setpgid(0, 0) : ::setsid();
        GuardianLink link{std::move(guardian_end), &commands, inherited, duties.listener != nullptr, duties.terminal};
        ::_exit(guardian(link, context));
    }
    guardian_end.reset();
    return wait_for_guardian(inherited, name, std::move(front_end), commands, pid, duties);
}

}  // namespace lockstep
