#include "run/stop_policy.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;
using Action = StopPolicy::Action;

namespace {

const StopRequest kTerm{SIGTERM, false, 1, 0};
const StopRequest kCtrlC{SIGINT, true, 0, 0};
const StopRequest kSentInt{SIGINT, false, 812, 1000};

MonotonicTime at(int ms) { return MonotonicTime{} + std::chrono::hours{1} + Millis{ms}; }

}  // namespace

TEST_CASE("the first stop request begins a drain and every further one only tells", "[stop]") {
    StopPolicy policy(Millis{30'000}, false);
    CHECK_FALSE(policy.stopping());
    CHECK(policy.on_request(kTerm, at(0)) == Action::begin);
    CHECK(policy.stopping());
    for (int i = 1; i < 10'000; ++i) REQUIRE(policy.on_request(kTerm, at(i)) == Action::say);
}

TEST_CASE("the grace counts from the first request, whatever follows", "[stop]") {
    StopPolicy policy(Millis{30'000}, false);
    CHECK_FALSE(policy.deadline());
    policy.on_request(kTerm, at(0));
    policy.on_request(kTerm, at(20'000));
    CHECK(policy.deadline() == at(30'000));
}

TEST_CASE("without a bound there is no deadline", "[stop]") {
    StopPolicy policy(std::nullopt, true);
    policy.on_request(kTerm, at(0));
    CHECK_FALSE(policy.deadline());
}

TEST_CASE("a used-up grace finishes the pair by default, and cuts it where the job says so", "[stop]") {
    StopPolicy finish(Millis{10}, false);
    finish.on_request(kTerm, at(0));
    CHECK(finish.on_deadline() == Action::say_overtime);
    CHECK_FALSE(finish.deadline());
    StopPolicy cut(Millis{10}, true);
    cut.on_request(kTerm, at(0));
    CHECK(cut.on_deadline() == Action::cut);
}

TEST_CASE("the third Ctrl-C asks and a fourth within five seconds cuts", "[stop]") {
    StopPolicy policy(Millis{30'000}, false);
    CHECK(policy.on_request(kCtrlC, at(0)) == Action::begin);
    CHECK(policy.on_request(kCtrlC, at(1000)) == Action::say);
    CHECK(policy.on_request(kCtrlC, at(2000)) == Action::ask);
    CHECK(policy.on_request(kCtrlC, at(6999)) == Action::cut);
}

TEST_CASE("a fourth Ctrl-C that comes too late is asked again", "[stop]") {
    StopPolicy policy(Millis{30'000}, false);
    for (const int ms : {0, 1000, 2000}) policy.on_request(kCtrlC, at(ms));
    CHECK(policy.on_request(kCtrlC, at(7001)) == Action::ask);
    CHECK(policy.on_request(kCtrlC, at(8001)) == Action::cut);
}

TEST_CASE("a key held down never cuts: presses less than a second apart are one", "[stop]") {
    StopPolicy policy(Millis{30'000}, false);
    for (int ms = 0; ms < 1000; ms += 30) REQUIRE(policy.on_request(kCtrlC, at(ms)) != Action::ask);
    for (int ms = 2000; ms < 2900; ms += 30) REQUIRE(policy.on_request(kCtrlC, at(ms)) != Action::cut);
}

TEST_CASE("signals that a program sends never ask or cut, however many", "[stop]") {
    StopPolicy policy(Millis{3'600'000}, false);
    policy.on_request(kSentInt, at(0));
    for (int i = 1; i < 100; ++i) REQUIRE(policy.on_request(kSentInt, at(i * 2000)) == Action::say);
}

TEST_CASE("Ctrl-C counts also when a TERM came first", "[stop]") {
    StopPolicy policy(Millis{30'000}, false);
    CHECK(policy.on_request(kTerm, at(0)) == Action::begin);
    CHECK(policy.on_request(kCtrlC, at(100)) == Action::say);
    CHECK(policy.on_request(kCtrlC, at(1200)) == Action::say);
    CHECK(policy.on_request(kCtrlC, at(2300)) == Action::ask);
}

TEST_CASE("where the supervisor's kill comes first, what is in hand is cut 2 s before it, and once", "[stop]") {
    StopPolicy policy(Millis{30'000}, true);
    policy.supervisor_waits(Millis{10'000});
    CHECK_FALSE(policy.kill_at().has_value());
    const MonotonicTime start{};
    CHECK(policy.on_request(StopRequest::front_died(), start) == Action::begin);
    CHECK(policy.kill_at() == start + Millis{10'000});
    CHECK(policy.kill_is_first());
    CHECK(policy.deadline() == start + Millis{8'000});
    CHECK(policy.on_deadline() == Action::cut);
    CHECK_FALSE(policy.deadline().has_value());
}

TEST_CASE("a job that finishes what it has begun is not cut for a supervisor's sake, and its grace stays", "[stop]") {
    StopPolicy policy(Millis{30'000}, false);
    policy.supervisor_waits(Millis{10'000});
    const MonotonicTime start{};
    policy.on_request(StopRequest::front_died(), start);
    CHECK_FALSE(policy.kill_is_first());
    CHECK(policy.deadline() == start + Millis{30'000});
    CHECK(policy.kill_at() == start + Millis{10'000});
}

TEST_CASE("a supervisor that is known only after the stop began counts from the stop", "[stop]") {
    StopPolicy policy(Millis{30'000}, true);
    const MonotonicTime start{};
    policy.on_request(StopRequest::front_died(), start);
    policy.supervisor_waits(Millis{60'000});
    CHECK(policy.deadline() == start + Millis{30'000});
    policy.supervisor_waits(Millis{1'000});
    CHECK(policy.deadline() == start - Millis{1'000});
}
