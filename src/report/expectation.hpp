#pragma once
// Whether a job succeeds as often as its file says that it should ("expectEvery").

#include <cstdint>
#include <optional>
#include <string>

#include "base/duration.hpp"
#include "base/json.hpp"

namespace lockstep {

struct Expectation {
    std::optional<Millis> every;                  ///< unset: the job file says nothing of it
    std::optional<std::int64_t> last_success_ms;  ///< wall clock, when that pass ended; unset: there was none
};

/// More than `every` has passed since the last success, or there was none, or it is so far ahead that the clock was
/// wrong then; false where nothing is expected.
bool is_overdue(const Expectation& expectation, std::int64_t now_ms);

/// "last success 26h 00m ago, expected every 1h: overdue"
std::string expectation_text(const Expectation& expectation, std::int64_t now_ms);

/// Adds `lastSuccessAgeMs`, `expectEveryMs` and `overdue`, each null where it has no meaning.
void add_expectation(Json& json, const Expectation& expectation, std::int64_t now_ms);

}  // namespace lockstep
