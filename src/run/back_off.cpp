#include "run/back_off.hpp"

#include <algorithm>

#include "base/clock.hpp"

namespace lockstep {

namespace {
constexpr std::int64_t kLongest = 3'600'000;
}

std::int64_t not_before(int pair_attempts) {
    constexpr int kFreely = 3;
    constexpr std::int64_t kFirst = 30'000;
    if (pair_attempts < kFreely) return 0;
    const int doublings = std::min(pair_attempts - kFreely, 10);
    return wall_now_ms() + std::min(kLongest, kFirst << doublings);
}

bool is_backing_off(std::int64_t not_before_ms) {
    const std::int64_t left = not_before_ms - wall_now_ms();
    return left > 0 && left <= kLongest;
}

}  // namespace lockstep
