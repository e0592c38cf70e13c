#include <cstring>

#include "cli/arguments.hpp"
#include "cli/check_command.hpp"
#include "cli/exec_command.hpp"
#include "cli/run_command.hpp"
#include "sys/stop_signals.hpp"

namespace {

/// Commands that make nothing that a signal could leave half done die by signals as any program does.
void unblock(const lockstep::InheritedSignals& inherited) { ::sigprocmask(SIG_SETMASK, &inherited.mask, nullptr); }

int dispatch(const lockstep::InheritedSignals& inherited, int argc, char** argv) {
    lockstep::Arguments arguments = lockstep::parse_arguments(argc, argv);
    if (const auto* finished = std::get_if<lockstep::Finished>(&arguments)) return finished->exit_status;
    if (auto* run = std::get_if<lockstep::RunArguments>(&arguments)) return lockstep::run_command(inherited, *run);
    unblock(inherited);
    return lockstep::check_command(std::get<lockstep::CheckArguments>(arguments));
}

}  // namespace

int main(int argc, char** argv) {
    // First of all, so that a signal in our first millisecond is a stop request like any other.
    const lockstep::InheritedSignals inherited = lockstep::block_signals();
    // Before anything costs time: `exec` is compared with flock(1).
    if (argc > 1 && std::strcmp(argv[1], "exec") == 0) return lockstep::exec_command(inherited, argc - 2, argv + 2);
    return dispatch(inherited, argc, argv);
}
