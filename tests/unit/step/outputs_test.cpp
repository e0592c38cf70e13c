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

TEST_CASE("where more of stdout came than is kept, nobody goes by its beginning", "[command][output]") {
    Bench bench;
    const std::string much = "head -c 16777217 /dev/zero";
    PhaseSpec phase = script(much);
    const auto is_in_doubt = [&] {
        const Attempt attempt = bench.perform_once(phase, kPatient);
        CHECK(attempt.reason == "exit status 0, but its output is larger than 16 MiB");
        CHECK(attempt.outputs.members.empty());
        return attempt.verdict == Verdict::in_doubt;
    };
    SECTION("not for an output") {
        phase.outputs = named({{"all", "in {$stdout}"}});
        CHECK(is_in_doubt());
    }
    SECTION("not for a condition") {
        phase.refused = condition_of("$exitStatus == 1 || $stdout#/refused == null");
        CHECK(is_in_doubt());
        phase.refused.reset();
        phase.success = condition_of("$stdout != 'failed'");
        CHECK(is_in_doubt());
    }
    SECTION("and who does not look at it may print what he likes") {
        phase.success = condition_of("$exitStatus == 0");
        CHECK(bench.perform_once(phase, kPatient).verdict == Verdict::done);
    }
    SECTION("what is just kept is whole") {
        phase = script("head -c 16777216 /dev/zero | tr '\\0' x");
        phase.outputs = named({{"all", "$stdout"}});
        const Attempt attempt = bench.perform_once(phase, kPatient);
        CHECK(attempt.verdict == Verdict::done);
        CHECK(attempt.outputs.find("all")->text.size() == 16777216);
    }
}

TEST_CASE("a probe that looks at more stdout than is kept is unclear", "[probe][output]") {
    Bench bench;
    // Cut where it is, it would be JSON still, and say that nothing is there.
    ProbeSpec spec{.action = shell(R"(printf '%-16777216s' '{"there": false}'; echo '{"there": true}')"),
                   .applied = condition_of("$stdout#/there == true"),
                   .absent = std::nullopt,
                   .outputs = {},
                   .timeout = 30s,
                   .settle = std::nullopt};
    const ProbeOutcome outcome = probe(spec, bench.scope, Millis{30'000}, bench.work);
    CHECK(outcome.answer == ProbeOutcome::Answer::unclear);
    CHECK(outcome.reason == "exit status 0: unclear, for its output is larger than 16 MiB");
    spec.applied = condition_of("$exitStatus == 3");
    CHECK(probe(spec, bench.scope, Millis{30'000}, bench.work).answer == ProbeOutcome::Answer::unclear);
    spec.absent = condition_of("$exitStatus == 0");
    CHECK(probe(spec, bench.scope, Millis{30'000}, bench.work).answer == ProbeOutcome::Answer::absent);
}

TEST_CASE("a body that is not JSON is told with the place and the reason, not as if a member were missing", "[http]") {
    ServerReply reply{.status = 200};
    TestServer server([&reply](const ServerRequest&) { return reply; });
    Bench bench;
    PhaseSpec phase = phase_of(http("POST", server.url("/orders")));
    phase.outputs = named({{"id", "$response.body#/id"}});
    const auto reason = [&](const std::string& body) {
        reply.body = body;
        const Attempt attempt = bench.perform_once(phase, kPatient);
        CHECK(attempt.verdict == Verdict::in_doubt);
        constexpr std::string_view kBefore =
            "200 OK, but the output \"id\" is missing ($response.body#/id is missing: the body is not JSON: ";
        REQUIRE(attempt.reason.starts_with(kBefore));
        return attempt.reason.substr(kBefore.size());
    };
    CHECK(reason("") == "it is empty)");
    CHECK(reason("{\"id\":\"caf\xE9\"}") ==
          "line 1, column 12: syntax error while parsing value - invalid string: ill-formed UTF-8 byte)");
    CHECK(reason("{\"id\":1}" + std::string(1, '\0')) == "line 1, column 9: there is a NUL byte in it)");
    CHECK(reason(std::string(300, '[')) == "line 1, column 201: nested deeper than 200 levels)");
    CHECK(reason("<html>s3cret").find("html") == std::string::npos);
    reply.body = R"({"id": 1e400})";
    const Attempt attempt = bench.perform_once(phase, kPatient);
    CHECK(attempt.verdict == Verdict::done);
    CHECK(to_text(attempt.outputs) == R"({"id":1e400})");
}
