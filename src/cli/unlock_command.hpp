#pragma once
// `lockstep unlock`: removes a lock that was left behind, or asks its living holder to stop.

#include "cli/arguments.hpp"
#include "sys/stop_signals.hpp"

namespace lockstep {

/// Our signals are blocked but while it waits: it holds the lock for a moment.
int unlock_command(const InheritedSignals& inherited, const UnlockArguments& arguments);

}  // namespace lockstep
