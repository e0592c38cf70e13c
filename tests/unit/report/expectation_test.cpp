#include "report/expectation.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;

namespace {
constexpr std::int64_t kNow = 1'795'402'800'000;
constexpr std::int64_t kHour = 3'600'000;
}  // namespace

TEST_CASE("a success that is longer ago than expected makes a job overdue, and it is said", "[overdue]") {
    const Expectation late{std::chrono::hours{1}, kNow - 26 * kHour};
    CHECK(is_overdue(late, kNow));
    CHECK(expectation_text(late, kNow) == "last success 26h 00m ago, expected every 1h: overdue");
    const Expectation just{std::chrono::hours{1}, kNow - kHour};
    CHECK_FALSE(is_overdue(just, kNow));
    CHECK(is_overdue(just, kNow + 1));
    CHECK(expectation_text(just, kNow) == "last success 1h 00m ago, expected every 1h");
}

TEST_CASE("a job that never succeeded is overdue, one of which nothing is expected is not", "[overdue]") {
    CHECK(is_overdue({std::chrono::hours{1}, std::nullopt}, kNow));
    CHECK(expectation_text({std::chrono::hours{1}, std::nullopt}, kNow) == "no success yet, expected every 1h: overdue");
    CHECK_FALSE(is_overdue({std::nullopt, std::nullopt}, kNow));
    CHECK_FALSE(is_overdue({std::nullopt, kNow - 1000 * kHour}, kNow));
}

TEST_CASE("a clock that was set back a little makes nothing overdue, and no negative age", "[overdue]") {
    const Expectation ahead{std::chrono::hours{1}, kNow + kHour};
    CHECK_FALSE(is_overdue(ahead, kNow));
    CHECK(expectation_text(ahead, kNow) == "last success 0.0s ago, expected every 1h");
}

TEST_CASE("a success of a time that is far ahead says nothing: a job that runs no more would never be overdue", "[overdue]") {
    const Expectation ahead{std::chrono::hours{1}, kNow + kHour + 1};
    CHECK(is_overdue(ahead, kNow));
    CHECK(expectation_text(ahead, kNow) ==
          "last success at a time that is still to come (the clock was set back), expected every 1h: overdue");
}

TEST_CASE("the keys are there in any case, null where they mean nothing", "[overdue]") {
    Json json = Json::object();
    add_expectation(json, {std::nullopt, std::nullopt}, kNow);
    CHECK(to_text(json) == R"({"lastSuccessAgeMs":null,"expectEveryMs":null,"overdue":null})");
    add_expectation(json, {std::chrono::hours{1}, kNow - 5}, kNow);
    CHECK(to_text(json) == R"({"lastSuccessAgeMs":5,"expectEveryMs":3600000,"overdue":false})");
}
