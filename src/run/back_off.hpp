#pragma once
// Back-off between passes: a poison item is to cost little.

#include <cstdint>
#include <optional>

#include "base/duration.hpp"

namespace lockstep {

/// When a pair that was tried in so many passes is tried again. The first tries come as often as the passes do: a person who
/// mends something and runs the job again is not to wait. After them 30 s, twice as long each time, at most an hour.
/// @param retry_after  what the server has asked for (RFC 9110 10.2.3): not before that either, though at most an hour, for it
///                     may be wrong
/// @return wall clock, in ms; 0: at once
std::int64_t not_before(int pair_attempts, std::optional<Millis> retry_after = std::nullopt);

/// That time has not come yet. What lies further ahead than any wait was written while the clock was wrong.
bool is_backing_off(std::int64_t not_before_ms);

}  // namespace lockstep
