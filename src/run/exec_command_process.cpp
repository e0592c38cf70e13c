#include "run/exec_command_process.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"
#include "run/exec_child.hpp"

namespace lockstep {

int exit_status_of_command(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int ExecCommandProcess::start(char* const* argv, int input, const std::vector<int>& records, const GuardianLink& link) {
    const bool in_foreground = link.terminal != nullptr && link.terminal->is_ours();
    const pid_t guardian = ::getpid();
    volatile int error = 0;  // written by the child: after vfork(2) both share the memory
    // vfork: the child's few system calls touch no page that it would have to copy.
    const pid_t pid = ::vfork();  // NOLINT(bugprone-unsafe-functions)
    if (pid == 0) {
        begin_command(guardian, *link.commands);
        if (in_foreground) link.terminal->take_in_child();
        error = set_up_command(input, records, link.inherited);
        if (error != 0) ::_exit(127);
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
    go_on_with(pid, argv);
    return 0;
}

void ExecCommandProcess::go_on_with(pid_t pid, char* const* argv) {
    pid_ = pid;
    text_ = printable(argv[0]) + " (pid " + std::to_string(pid) + ")";
}

std::optional<ExecCommandProcess::Change> ExecCommandProcess::change() const {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG | WUNTRACED) != pid_) return std::nullopt;
    if (WIFSTOPPED(status)) return Change{.stopped_by = WSTOPSIG(status)};
    return Change{.ended = true, .status = exit_status_of_command(status), .killed = WIFSIGNALED(status)};
}

void ExecCommandProcess::signal_group(int signal) const { ::kill(-pid_, signal); }

}  // namespace lockstep
