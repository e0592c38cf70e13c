// Outputs that an answer does not give, and why not.

#include "step_support.hpp"
#include "support/test_server.hpp"

using namespace lockstep;
using namespace lockstep::testing;
using namespace std::chrono_literals;

namespace {

constexpr AttemptOptions kPatient{.timeout = Millis{30'000}};

PhaseSpec script(const std::string& text) { return phase_of(shell(text)); }

}  // namespace

TEST_CASE("an output that is not UTF-8 is in doubt, for the journal would alter it", "[command]") {
    Bench bench;
    PhaseSpec phase = script(R"(printf 'caf\351.csv')");
    CHECK(bench.perform_once(phase, kPatient).verdict == Verdict::done);
    for (const char* value : {"$stdout", "in/{$stdout}"}) {
        phase.outputs = named({{"f", value}});
        const Attempt attempt = bench.perform_once(phase, kPatient);
        CHECK(attempt.verdict == Verdict::in_doubt);
        CHECK(attempt.reason == "exit status 0, but the output \"f\" is not UTF-8");
    }
}

TEST_CASE("a header or a body that is not UTF-8 gives no output", "[http]") {
    TestServer server(
        [](const ServerRequest&) { return ServerReply{.status = 200, .body = "caf\xE9", .headers = {{"X-Name", "caf\xE9"}}}; });
    Bench bench;
    PhaseSpec phase = phase_of(http("POST", server.url("/orders")));
    CHECK(bench.perform_once(phase, kPatient).verdict == Verdict::done);
    for (const char* value : {"$response.header.X-Name", "$response.body"}) {
        phase.outputs = named({{"name", value}});
        const Attempt attempt = bench.perform_once(phase, kPatient);
        CHECK(attempt.verdict == Verdict::in_doubt);
        CHECK(attempt.reason == "200 OK, but the output \"name\" is not UTF-8");
    }
}
