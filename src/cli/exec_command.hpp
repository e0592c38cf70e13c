#pragma once
// `lockstep exec`, parsed by hand: building CLI11's objects costs as much as taking the lock.

#include "sys/stop_signals.hpp"

namespace lockstep {

/// @param argv  what stands behind `exec`
int exec_command(const InheritedSignals& inherited, int argc, char** argv);

extern const char kExecHelp[];

}  // namespace lockstep
