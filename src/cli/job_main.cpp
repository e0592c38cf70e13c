// The program behind `lockstep` for everything but `exec`.

#include "cli/arguments.hpp"
#include "cli/check_command.hpp"
#include "cli/convert_command.hpp"
#include "cli/history_command.hpp"
#include "cli/init_command.hpp"
#include "cli/locks_command.hpp"
#include "cli/resolve_command.hpp"
#include "cli/run_command.hpp"
#include "cli/setup_command.hpp"
#include "cli/status_command.hpp"
#include "cli/unlock_command.hpp"
#include "sys/standard_streams.hpp"
#include "sys/stop_signals.hpp"

namespace {

/// Commands that make nothing that a signal could leave half done die by signals as any program does.
void unblock(const lockstep::InheritedSignals& inherited) { ::sigprocmask(SIG_SETMASK, &inherited.mask, nullptr); }

}  // namespace

int main(int argc, char** argv) {
    // First of all, so that a signal in our first millisecond is a stop request like any other.
    const lockstep::InheritedSignals inherited = lockstep::block_signals();
    lockstep::occupy_closed_streams();
    lockstep::Arguments arguments = lockstep::parse_arguments(argc, argv);
    if (const auto* finished = std::get_if<lockstep::Finished>(&arguments)) return finished->exit_status;
    if (auto* run = std::get_if<lockstep::RunArguments>(&arguments)) return lockstep::run_command(inherited, *run);
    // These two stay blocked: they hold the lock for a moment.
    if (const auto* resolve = std::get_if<lockstep::ResolveArguments>(&arguments)) return lockstep::resolve_command(*resolve);
    if (const auto* unlock = std::get_if<lockstep::UnlockArguments>(&arguments))
        return lockstep::unlock_command(inherited, *unlock);
    unblock(inherited);
    if (const auto* status = std::get_if<lockstep::StatusArguments>(&arguments)) return lockstep::status_command(*status);
    if (const auto* history = std::get_if<lockstep::HistoryArguments>(&arguments)) return lockstep::history_command(*history);
    if (const auto* locks = std::get_if<lockstep::LocksArguments>(&arguments)) return lockstep::locks_command(*locks);
    if (const auto* convert = std::get_if<lockstep::ConvertArguments>(&arguments)) return lockstep::convert_command(*convert);
    if (const auto* setup = std::get_if<lockstep::SetupArguments>(&arguments)) return lockstep::setup_command(*setup);
    if (const auto* init = std::get_if<lockstep::InitArguments>(&arguments)) return lockstep::init_command(*init);
    return lockstep::check_command(std::get<lockstep::CheckArguments>(std::move(arguments)));
}
