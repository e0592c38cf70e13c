#pragma once
// Whether all requests of a step can be made of an item: asked before its first phase is begun, and by a dry run.

#include "base/error.hpp"
#include "job/job_spec.hpp"

namespace lockstep {

/// Tries the requests that may follow a step's first one: its second phase, its undoing, and the probes of all. Outputs that
/// are not there yet are taken to come. The error's text says which request cannot be made, and why.
/// @param scope  that of the first phase; its idempotency key stands for those of the others, for nothing is sent
Result<void> try_later_requests(const StepSpec& step, Scope scope);

}  // namespace lockstep
