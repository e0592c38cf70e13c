#pragma once
// `lockstep exec`: its help, and the way to its guardian.

#include "sys/stop_signals.hpp"

namespace lockstep {

/// @param argv  what stands behind `exec`
int exec_command(const InheritedSignals& inherited, int argc, char** argv);

}  // namespace lockstep
