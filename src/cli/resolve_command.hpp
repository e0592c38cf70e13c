#pragma once
// `lockstep resolve`: what a person decides about a parked pair is written into the journal, and applied at once if nobody
// holds the lock; else the holder applies it at its next pass.

#include "cli/arguments.hpp"

namespace lockstep {

/// Signals must be blocked: for some milliseconds it holds the lock.
int resolve_command(const ResolveArguments& arguments);

}  // namespace lockstep
