// `lockstep`: a small static program, since starting a process costs mostly page faults and loading shared libraries most
// of those. It carries `exec`, which is compared with flock(1), and becomes `lockstep-job` (execve: the pid stays) for
// everything else.

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "base/exit_status.hpp"
#include "cli/exec_command.hpp"
#include "start/handover.hpp"
#include "sys/log.hpp"
#include "sys/stop_signals.hpp"

namespace {

/// The directory of this very file, whatever link or PATH it was started by; empty where /proc does not tell.
std::string own_directory() {
    std::array<char, 4096> path{};
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
    const std::string_view text(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    return std::string(text.substr(0, text.rfind('/') + 1));
}

int become_job_program(char** argv) {
    const std::string here = own_directory();
    for (const std::string& place :
         {here + "lockstep-job", here + "../libexec/lockstep/lockstep-job", std::string(LOCKSTEP_LIBEXECDIR "/lockstep-job")}) {
        if (!place.starts_with('/')) continue;  // it would be looked for where the user happens to be
        ::execv(place.c_str(), argv);
        if (errno != ENOENT && errno != ENOTDIR) {
            const std::string why = lockstep::errno_text(errno);
            lockstep::log::write_now(STDERR_FILENO, "lockstep: starting " + place + ": " + why + "\n");
            return lockstep::to_int(lockstep::ExitStatus::os);
        }
    }
    const std::string beside =
        here.empty() ? "not in " LOCKSTEP_LIBEXECDIR
                       ", and where lockstep itself lies is not known: /proc is not mounted here\n"
                     : "neither beside " + here + "lockstep nor in " LOCKSTEP_LIBEXECDIR ": install both (cmake --install)\n";
    lockstep::log::write_now(STDERR_FILENO, "lockstep: its program lockstep-job is " + beside);
    return lockstep::to_int(lockstep::ExitStatus::os);
}

}  // namespace

int main(int argc, char** argv) {
    // No signal is blocked on the way to the other program: it blocks them first of all, and nothing has been made yet.
    if (lockstep::start::handover.is_guardian) return lockstep::go_on_with_exec(lockstep::start::handover, argc - 2, argv + 2);
    if (argc < 2 || std::strcmp(argv[1], "exec") != 0) return become_job_program(argv);
    const lockstep::InheritedSignals inherited = lockstep::block_signals();
    return lockstep::exec_command(inherited, argc - 2, argv + 2);
}
