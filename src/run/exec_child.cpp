#include "run/exec_child.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "lock/lock_steps.hpp"

namespace lockstep {

namespace {

/// Where a script does not come across it: shells let it name 0 to 9, and choose from 10 upwards themselves. Below 64, which
/// is where the kernel would need a larger table.
constexpr int kOutOfReach = 60;

/// Stays open in the command. Where the number of descriptors is limited to fewer, under its own number.
void keep_open(int fd) {
    if (::fcntl(fd, F_DUPFD, kOutOfReach) < 0) ::fcntl(fd, F_SETFD, 0);
}

}  // namespace

CommandInput input_for_command() {
    CommandInput input;
    if (::isatty(STDIN_FILENO) == 0) return input;
    input.fd.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!input.fd) input.error = errno;
    return input;
}

void begin_command(pid_t guardian, CommandTable& commands) {
    commands.add(::getpid());
    if (::getppid() != guardian) ::_exit(127);
    ::setpgid(0, 0);
}

int set_up_command(int input, std::span<const int> records, const InheritedSignals& inherited) {
    if (input >= 0 && ::dup2(input, STDIN_FILENO) < 0) return errno;
    for (const int record : records) {
        // We have the guardian's descriptor of the directory, too, until execve(2): nobody can take the lock before this is
        // done.
        if (const int error = mark_record(record); error != 0) return error;
        keep_open(record);
    }
    ::sigprocmask(SIG_SETMASK, &inherited.mask, nullptr);
    return 0;
}

}  // namespace lockstep
