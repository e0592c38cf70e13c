#include "run/exec_child.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "lock/lock_steps.hpp"

namespace lockstep {

UniqueFd input_for_command() {
    if (::isatty(STDIN_FILENO) == 0) return UniqueFd();
    return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY));
}

void begin_command(pid_t guardian, CommandTable& commands) {
    commands.add(::getpid());
    if (::getppid() != guardian) ::_exit(127);
    ::setpgid(0, 0);
}

int prepare_command(int input, std::span<const int> records, const InheritedSignals& inherited) {
    if (input >= 0) ::dup2(input, STDIN_FILENO);
    for (const int record : records) {
        // We have the guardian's descriptor of the directory, too, until execve(2): nobody can take the lock before this is
        // done.
        if (const int error = mark_record(record); error != 0) return error;
        ::fcntl(record, F_SETFD, 0);
    }
    ::sigprocmask(SIG_SETMASK, &inherited.mask, nullptr);
    return 0;
}

}  // namespace lockstep
