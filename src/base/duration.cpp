#include "base/duration.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>

namespace lockstep {

namespace {

struct Unit {
    std::string_view name;
    std::int64_t millis;
};

constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

}  // namespace

Result<Millis> parse_duration(std::string_view text) {
    const auto expected = [&](std::string_view what) {
        return fail(Failure::usage, "\"" + std::string(text) + "\" is not a duration: " + std::string(what));
    };
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error == std::errc::result_out_of_range) return expected("longer than ten years");
    if (error != std::errc{} || count < 0 || text.front() == '-') {
        return expected("write a whole number and a unit, like 500ms, 10s, 2m, 1h");
    }
    const std::string_view unit_name = text.substr(static_cast<std::size_t>(end - text.data()));
    if (unit_name.empty() && count == 0) return Millis{0};
    for (const Unit& unit : kUnits) {
        if (unit.name != unit_name) continue;
        if (count > kLongestDuration.count() / unit.millis) return expected("longer than ten years");
        return Millis{count * unit.millis};
    }
    return expected("the unit is one of ms, s, m, h, d");
}

std::string format_duration(Millis duration) {
    const std::int64_t count = duration.count();
    if (count == 0) return "0s";
    for (const Unit* unit = kUnits + 3; unit != kUnits; --unit) {
        if (count % unit->millis == 0) return std::to_string(count / unit->millis) + std::string(unit->name);
    }
    return std::to_string(count) + "ms";
}

std::string describe_duration(Millis duration) {
    const std::int64_t ms = duration.count() < 0 ? 0 : duration.count();
    const std::int64_t seconds = ms / 1000;
    char text[48];
    if (ms < 10'000) {
        std::snprintf(text, sizeof text, "%lld.%llds", static_cast<long long>(seconds),
                      static_cast<long long>(ms % 1000 / 100));
    } else if (seconds < 60) {
        std::snprintf(text, sizeof text, "%llds", static_cast<long long>(seconds));
    } else if (seconds < 3600) {
        std::snprintf(text, sizeof text, "%lldm %02llds", static_cast<long long>(seconds / 60),
                      static_cast<long long>(seconds % 60));
    } else {
        std::snprintf(text, sizeof text, "%lldh %02lldm", static_cast<long long>(seconds / 3600),
                      static_cast<long long>(seconds / 60 % 60));
    }
    return text;
}

}  // namespace lockstep
