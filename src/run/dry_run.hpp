#pragma once
// `--dry-run`: what would be sent and run, as lines that could be pasted into a shell but for the secrets.

#include "run/run_options.hpp"

namespace lockstep {

/// What a run would do now, in its order: decisions that wait, what earlier passes left, and the items, each with every phase's
/// request, on stdout. Sends nothing, runs no command, takes no lock, writes nothing to the journal: items that come from a
/// command or over HTTP are not listed, only how they would be.
/// @return exit status: 0, 1 if an item is bad, 69 if the items could not be had or none has the key of --only, 74 the journal
int dry_run(const JobSpec& job, const RunOptions& options);

}  // namespace lockstep
