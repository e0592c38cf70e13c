#include "supervise/time_span.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace lockstep {

namespace {

struct Unit {
    std::string_view names;  ///< each between blanks
    double millis;
};

constexpr std::array kUnits = {
    Unit{" usec us μs ", 0.001},
    Unit{" msec ms ", 1},
    Unit{" seconds second sec s ", 1000},
    Unit{" minutes minute min m ", 60'000},
    Unit{" hours hour hr h ", 3'600'000},
    Unit{" days day d ", 86'400'000},
    Unit{" weeks week w ", 604'800'000},
    Unit{" months month M ", 2'629'800'000},
    Unit{" years year y ", 31'557'600'000},
};

std::optional<double> millis_of(std::string_view unit) {
    if (unit.empty()) return 1000;  // a bare number is seconds
    for (const Unit& one : kUnits) {
        if (one.names.find(" " + std::string(unit) + " ") != std::string_view::npos) return one.millis;
    }
    return std::nullopt;
}

void skip_blanks(std::string_view& text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

}  // namespace

std::optional<std::optional<Millis>> parse_stop_timeout(std::string_view text) {
    skip_blanks(text);
    if (text.empty()) return std::nullopt;
    if (text == "infinity") return std::optional<Millis>{};
    double sum = 0;
    while (!text.empty()) {
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
        if (error != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;  // it reads "nan", too
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        skip_blanks(text);
        const std::size_t length = std::min(text.find_first_of(" \t0123456789."), text.size());
        const auto millis = millis_of(text.substr(0, length));
        if (!millis) return std::nullopt;
        sum += number * *millis;
        text.remove_prefix(length);
        skip_blanks(text);
    }
    if (sum == 0 || sum > static_cast<double>(kLongestDuration.count())) return std::optional<Millis>{};
    return Millis{std::llround(sum)};
}

}  // namespace lockstep
