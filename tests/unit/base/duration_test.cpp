#include "base/duration.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;
using namespace std::chrono_literals;

TEST_CASE("a duration is a whole number and a unit", "[duration]") {
    CHECK(parse_duration("500ms") == Millis{500});
    CHECK(parse_duration("10s") == Millis{10s});
    CHECK(parse_duration("2m") == Millis{2min});
    CHECK(parse_duration("1h") == Millis{1h});
    CHECK(parse_duration("1d") == Millis{24h});
    CHECK(parse_duration("0") == Millis{0});
    CHECK(parse_duration("0s") == Millis{0});
    CHECK(parse_duration("3650d") == kLongestDuration);
}

TEST_CASE("whatever else is refused, with a reason", "[duration]") {
    for (const std::string_view text :
         {"", "s", "-1s", "-0s", "+1s", "1", "1.5s", "1 s", "1S", "1sec", "1s ", " 1s", "1m30s", "0x1s", "ten"}) {
        INFO(text);
        const auto duration = parse_duration(text);
        REQUIRE_FALSE(duration.has_value());
        CHECK(duration.error().failure == Failure::usage);
        CHECK(duration.error().text.starts_with("\"" + std::string(text) + "\" is not a duration: "));
    }
}

TEST_CASE("more than ten years is refused, however it is written", "[duration]") {
    for (const std::string_view text : {"3651d", "99999999999999999999s", "9223372036854775807d", "9223372036854775807ms"}) {
        INFO(text);
        REQUIRE_FALSE(parse_duration(text).has_value());
        CHECK(parse_duration(text).error().text.ends_with("longer than ten years"));
    }
}

TEST_CASE("a duration is written in its shortest exact form and read back", "[duration]") {
    CHECK(format_duration(Millis{0}) == "0s");
    CHECK(format_duration(Millis{1500}) == "1500ms");
    CHECK(format_duration(75s) == "75s");
    CHECK(format_duration(2min) == "2m");
    CHECK(format_duration(24h) == "24h");
    for (const Millis duration :
         {Millis{1}, Millis{999}, Millis{60'000}, Millis{61'000}, Millis{3'600'001}, kLongestDuration}) {
        CHECK(parse_duration(format_duration(duration)) == duration);
    }
}

TEST_CASE("for people a duration is rounded down", "[duration]") {
    CHECK(describe_duration(Millis{-5}) == "0.0s");
    CHECK(describe_duration(Millis{449}) == "0.4s");
    CHECK(describe_duration(Millis{9'999}) == "9.9s");
    CHECK(describe_duration(12'400ms) == "12s");
    CHECK(describe_duration(185s) == "3m 05s");
    CHECK(describe_duration(2h + 10min + 59s) == "2h 10m");
}
