#pragma once
// How long to wait before another attempt.

#include <optional>

#include "base/duration.hpp"
#include "job/job_spec.hpp"

namespace lockstep {

/// Pause before attempt `next_attempt` (2, 3, …): exponential with full jitter (a random share of the interval), never
/// less than `retry_after`.
Millis retry_pause(const RetrySpec& retry, int next_attempt, std::optional<Millis> retry_after);

}  // namespace lockstep
