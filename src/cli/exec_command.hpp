#pragma once
// `lockstep exec`: its help, and the way to its guardian.

#include "start/handover.hpp"
#include "sys/stop_signals.hpp"

namespace lockstep {

/// @param argv  what stands behind `exec`
int exec_command(const InheritedSignals& inherited, int argc, char** argv);

/// The guardian's half of it, from where the plain road (the room start) left off.
/// @return its exit status
int go_on_with_exec(const start::Handover& handover, int argc, char** argv);

}  // namespace lockstep
