#include "run/back_off.hpp"

#include <algorithm>

#include "base/clock.hpp"

namespace lockstep {

namespace {
constexpr std::int64_t kLongest = 3'600'000;
}

std::int64_t not_before(int pair_attempts, std::optional<Millis> retry_after) {
    constexpr int kFreely = 3;
    constexpr std::int64_t kFirst = 30'000;
    const int doublings = std::min(pair_attempts - kFreely, 10);
    const std::int64_t own = pair_attempts < kFreely ? 0 : kFirst << doublings;
    const std::int64_t wait = std::min(kLongest, std::max(own, retry_after.value_or(Millis{0}).count()));
    return wait == 0 ? 0 : wall_now_ms() + wait;
}

bool is_backing_off(std::int64_t not_before_ms) {
    const std::int64_t left = not_before_ms - wall_now_ms();
    return left > 0 && left <= kLongest;
}

}  // namespace lockstep
