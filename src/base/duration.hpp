#pragma once
// Durations as people write them: 500ms, 10s, 2m, 1h, 1d.

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace lockstep {

using Millis = std::chrono::milliseconds;

/// The longest duration that is accepted: ten years, so that sums of durations cannot overflow.
inline constexpr Millis kLongestDuration = std::chrono::hours{24 * 3650};

/// What a command is given between SIGTERM and SIGKILL when it is made to end. How long a supervisor must wait for us depends
/// on it.
inline constexpr Millis kTermToKill{5'000};

/// Reads a whole number with a unit: `ms`, `s`, `m`, `h` or `d`. A bare "0" is zero; any other bare number is an error,
/// for its unit would be a guess. Error: Failure::usage, the text says what was expected.
Result<Millis> parse_duration(std::string_view text);

/// The shortest exact form that parse_duration reads back: "1500ms", "75s", "2m", "1h".
std::string format_duration(Millis duration);

/// For people, rounded: "0.4s", "12s", "3m 05s", "2h 10m".
std::string describe_duration(Millis duration);

}  // namespace lockstep
