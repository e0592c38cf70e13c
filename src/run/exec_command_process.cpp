#include "run/exec_command_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"

namespace lockstep {

int ExecCommandProcess::start(char* const* argv, const std::vector<UniqueFd>& marks, const GuardianLink& link,
                              bool interactive) {
    // A terminal belongs to the front's session; a command that reads from it would stop, or take what is typed for the
    // shell.
    UniqueFd null_input;
    if (!interactive && ::isatty(STDIN_FILENO) != 0) null_input.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY));
    const bool in_foreground = link.terminal != nullptr && link.terminal->is_ours();
    const pid_t guardian = ::getpid();
    volatile int error = 0;  // written by the child: after vfork(2) both share the memory
    // vfork: the child's few system calls touch no page that it would have to copy.
    const pid_t pid = ::vfork();  // NOLINT(bugprone-unsafe-functions)
    if (pid == 0) {
        // The guardian may be killed at any moment: then the front waits for this command, or it does not begin.
        link.commands->add(::getpid());
        if (::getppid() != guardian) ::_exit(127);
        ::setpgid(0, 0);
        if (in_foreground) link.terminal->take_in_child();
        if (null_input) ::dup2(null_input.get(), STDIN_FILENO);
        for (const UniqueFd& mark : marks) ::fcntl(mark.get(), F_SETFD, 0);
        // SIGCHLD and the stop signals still have the actions that we were started with; only the mask was changed.
        ::sigprocmask(SIG_SETMASK, &link.inherited.mask, nullptr);
        ::execvp(argv[0], argv);
        error = errno;
        ::_exit(127);
    }
    if (pid < 0) return errno;
    if (error != 0) {
        ::waitpid(pid, nullptr, 0);
        link.commands->remove(pid);
        if (in_foreground) link.terminal->take_back(pid, JobTerminal::Modes::keep);
        return error;
    }
    pid_ = pid;
    text_ = printable(argv[0]) + " (pid " + std::to_string(pid) + ")";
    // For an adopter, should we be killed: whose mark this is.
    const std::string mark_text = "pid " + std::to_string(pid) + "\n";
    for (const UniqueFd& mark : marks) {
        [[maybe_unused]] const ssize_t written = ::pwrite(mark.get(), mark_text.data(), mark_text.size(), 0);
    }
    return 0;
}

std::optional<ExecCommandProcess::Change> ExecCommandProcess::change() const {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG | WUNTRACED) != pid_) return std::nullopt;
    if (WIFSTOPPED(status)) return Change{.stopped_by = WSTOPSIG(status)};
    const bool killed = WIFSIGNALED(status);
    return Change{.ended = true, .status = killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status), .killed = killed};
}

void ExecCommandProcess::signal_group(int signal) const { ::kill(-pid_, signal); }

}  // namespace lockstep
