#pragma once
// Two clocks, never mixed: the monotonic one decides (timeouts, deadlines), the wall clock is shown to people.

#include <chrono>
#include <cstdint>
#include <string>

namespace lockstep {

using MonotonicTime = std::chrono::steady_clock::time_point;

inline MonotonicTime monotonic_now() { return std::chrono::steady_clock::now(); }

/// Milliseconds since 1970-01-01T00:00:00Z.
std::int64_t wall_now_ms();

/// "2026-11-23T03:00:01.123Z"
std::string format_utc(std::int64_t wall_ms);

/// "03:00:01" in the local time zone, preceded by the date ("2026-11-22 03:00:01") when that is not today.
std::string format_local(std::int64_t wall_ms);

/// Milliseconds from now until `deadline`, rounded up, at least 0 and at most INT_MAX: the timeout of poll(2).
int millis_until(MonotonicTime deadline);

}  // namespace lockstep
