#pragma once
// Whether all requests of a step can be made of an item: asked before its first phase is begun, and by a dry run.

#include <functional>

#include "base/error.hpp"
#include "job/job_spec.hpp"

namespace lockstep {

/// Tries the requests that may follow a step's first one: its second phase, its undoing, and the probes of all. Outputs that
/// are not there yet are taken to come. The error's text says which request cannot be made, and why.
/// @param scope_of  what a phase's expressions refer to
Result<void> try_later_requests(const StepSpec& step, const std::function<Scope(PhaseName)>& scope_of);

}  // namespace lockstep
