#include "step/retry.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace lockstep {

namespace {

/// Full jitter: a random share, so that many clients that failed together do not come back together.
Millis random_share(Millis interval) {
    thread_local std::minstd_rand generator{std::random_device{}()};
    return Millis{std::uniform_int_distribution<std::int64_t>(0, interval.count())(generator)};
}

}  // namespace

Millis retry_pause(const RetrySpec& retry, int next_attempt, std::optional<Millis> retry_after) {
    const double exponent = std::max(0, next_attempt - 2);
    const double grown = static_cast<double>(retry.initial_interval.count()) * std::pow(retry.backoff_rate, exponent);
    const auto limit = static_cast<double>(std::min(retry.max_interval, kLongestDuration).count());
    const Millis interval{static_cast<std::int64_t>(std::clamp(grown, 0.0, limit))};
    return std::max(retry.full_jitter ? random_share(interval) : interval, retry_after.value_or(Millis{0}));
}

}  // namespace lockstep
