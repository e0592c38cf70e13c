#pragma once
// The key under which an API does a thing once.

#include <string>
#include <string_view>

#include "job/job_spec.hpp"

namespace lockstep {

/// The idempotency key: SHA-256 over job, item key, step, phase and generation.
std::string idempotency_key(std::string_view job, std::string_view item_key, std::string_view step, PhaseName phase,
                            int generation);

}  // namespace lockstep
