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

void prepare_command(int input, std::span<const UniqueFd> marks, const InheritedSignals& inherited) {
    if (input >= 0) ::dup2(input, STDIN_FILENO);
    for (const UniqueFd& mark : marks) {
        write_mark_pid(mark.get(), ::getpid());
        ::fcntl(mark.get(), F_SETFD, 0);
    }
    ::sigprocmask(SIG_SETMASK, &inherited.mask, nullptr);
}

}  // namespace lockstep
