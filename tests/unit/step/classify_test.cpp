#include "step/classify.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;
using namespace std::chrono_literals;

namespace {

constexpr RequestTraits kFirst{};
constexpr RequestTraits kKeyed{.keyed = true, .resend = false};
constexpr RequestTraits kResend{.keyed = false, .resend = true};
constexpr RequestTraits kKeyedResend{.keyed = true, .resend = true};

Verdict verdict(int status, RequestTraits traits) { return meaning_of_status(status, traits).verdict; }

HttpFailure failure(HttpFailure::Kind kind, bool sent) { return {kind, "", sent}; }

}  // namespace

TEST_CASE("421, 425 and 429 were turned away before any work, with and without a key", "[classify]") {
    for (const int status : {421, 425, 429}) {
        CHECK(verdict(status, kFirst) == Verdict::not_applied);
        CHECK(verdict(status, kKeyed) == Verdict::not_applied);
    }
}

TEST_CASE("503 is not applied where there is a key, else in doubt", "[classify]") {
    CHECK(verdict(503, kKeyed) == Verdict::not_applied);
    CHECK(verdict(503, kFirst) == Verdict::in_doubt);
}

TEST_CASE("the other 4xx are refusals, but 408 is in doubt", "[classify]") {
    for (const int status : {400, 401, 402, 403, 404, 405, 409, 410, 412, 422, 423, 451, 499}) {
        INFO(status);
        CHECK(meaning_of_status(status, kFirst) == Meaning{Verdict::refused});
        CHECK(meaning_of_status(status, kKeyed) == Meaning{Verdict::refused});
    }
    CHECK(verdict(408, kFirst) == Verdict::in_doubt);
    CHECK(verdict(408, kKeyedResend) == Verdict::in_doubt);
}

TEST_CASE("409 and 422 have their key meaning on a resend under a key only", "[classify]") {
    CHECK(meaning_of_status(409, kKeyedResend) == Meaning{Verdict::in_doubt});
    CHECK(meaning_of_status(422, kKeyedResend) == Meaning{.verdict = Verdict::in_doubt, .park = true});
    CHECK(meaning_of_status(409, kResend) == Meaning{Verdict::refused});
    CHECK(meaning_of_status(422, kResend) == Meaning{Verdict::refused});
}

TEST_CASE("an expired token or a place not found on a resend says nothing about the request that went before", "[classify]") {
    for (const int status : {401, 403, 404, 405, 407, 410}) {
        CHECK(verdict(status, kKeyedResend) == Verdict::in_doubt);
        CHECK(verdict(status, kResend) == Verdict::in_doubt);
    }
    CHECK(verdict(402, kKeyedResend) == Verdict::refused);
}

TEST_CASE("redirects, server errors and whatever else there is are in doubt", "[classify]") {
    for (const int status : {101, 200, 202, 204, 301, 302, 304, 307, 308, 500, 501, 502, 504, 599, 600}) {
        INFO(status);
        CHECK(verdict(status, kFirst) == Verdict::in_doubt);
        CHECK(verdict(status, kKeyed) == Verdict::in_doubt);
    }
}

TEST_CASE("without an answer all depends on whether a byte left", "[classify]") {
    using Kind = HttpFailure::Kind;
    CHECK(meaning_of_failure(failure(Kind::not_made, false)).verdict == Verdict::not_applied);
    CHECK(meaning_of_failure(failure(Kind::not_sent, false)).verdict == Verdict::not_applied);
    CHECK(meaning_of_failure(failure(Kind::timed_out, true)).verdict == Verdict::in_doubt);
    CHECK(meaning_of_failure(failure(Kind::broken, true)).verdict == Verdict::in_doubt);
    CHECK(meaning_of_failure(failure(Kind::cut, true)).verdict == Verdict::in_doubt);
    CHECK(meaning_of_failure(failure(Kind::cut, false)).verdict == Verdict::not_applied);
}

TEST_CASE("a command's exit status 0 is done, a listed one what the list says, any other end in doubt", "[classify]") {
    CHECK(meaning_of_exit(0, {}, {}).verdict == Verdict::done);
    CHECK(meaning_of_exit(3, {3}, {4}).verdict == Verdict::refused);
    CHECK(meaning_of_exit(4, {3}, {4}).verdict == Verdict::not_applied);
    CHECK(meaning_of_exit(5, {3}, {4}).verdict == Verdict::in_doubt);
    CHECK(meaning_of_exit(127, {}, {}).verdict == Verdict::in_doubt);
    CHECK(meaning_of_exit(std::nullopt, {137}, {143}).verdict == Verdict::in_doubt);
}

TEST_CASE("Retry-After is understood in seconds and in all three forms of a date", "[classify]") {
    constexpr std::int64_t kNow = 784'111'777'000;  // Sun, 06 Nov 1994 08:49:37 GMT
    CHECK(parse_retry_after("120", nullptr, kNow) == Millis{120'000});
    CHECK(parse_retry_after("0", nullptr, kNow) == Millis{0});
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", nullptr, kNow) == Millis{10'000});
    CHECK(parse_retry_after("Sunday, 06-Nov-94 08:49:47 GMT", nullptr, kNow) == Millis{10'000});
    CHECK(parse_retry_after("Sun Nov  6 08:49:47 1994", nullptr, kNow) == Millis{10'000});
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", nullptr, kNow) == Millis{0});
    for (const char* long_time : {"99999999999999999", "99999999999999999999999"})
        CHECK(parse_retry_after(long_time, nullptr, kNow) == kLongestDuration);
    CHECK(parse_retry_after("soon", nullptr, kNow) == std::nullopt);
    CHECK(parse_retry_after("-5", nullptr, kNow) == std::nullopt);
    CHECK(parse_retry_after("1.5", nullptr, kNow) == std::nullopt);
    CHECK(parse_retry_after("", nullptr, kNow) == std::nullopt);
}

TEST_CASE("a date is counted from the server's own clock where it tells it", "[classify]") {
    const std::string server_date = "Sun, 06 Nov 1994 08:49:37 GMT";
    const std::string nonsense = "yesterday";
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", &server_date, 0) == Millis{10'000});
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", &nonsense, 784'111'786'000) == Millis{1'000});
}

TEST_CASE("a status is told with its phrase", "[classify]") {
    CHECK(describe_status(503) == "503 Service Unavailable");
    CHECK(describe_status(299) == "299");
}
