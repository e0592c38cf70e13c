// HTTP phases, probes and listings, against a server that answers as it is told.

#include <algorithm>
#include <future>

#include "step_support.hpp"
#include "support/test_server.hpp"

using namespace lockstep;
using namespace lockstep::testing;
using namespace std::chrono_literals;

namespace {

constexpr AttemptOptions kPatient{.timeout = Millis{30'000}};

PhaseSpec post_to(const TestServer& server) {
    HttpSpec spec = http("POST", server.url("/orders"));
    spec.body = body_of(R"({"order": "$inputs.orderId"})");
    return phase_of(spec);
}

TestServer::Handler always(ServerReply reply) {
    return [reply](const ServerRequest&) { return reply; };
}

}  // namespace

TEST_CASE("a 2xx with all outputs is done", "[http]") {
    TestServer server(always({.status = 201, .body = R"({"id": 7.50})", .headers = {{"Location", "/orders/7"}}}));
    Bench bench;
    PhaseSpec phase = post_to(server);
    phase.outputs = named({{"id", "$response.body#/id"}, {"at", "$response.header.Location"}});
    phase.idempotency = IdempotencySpec{};
    const Attempt attempt = bench.perform_once(phase, kPatient);
    CHECK(attempt.verdict == Verdict::done);
    CHECK(attempt.reason == "201 Created");
    CHECK(to_text(attempt.outputs) == R"({"id":7.50,"at":"/orders/7"})");
    const ServerRequest seen = server.requests().at(0);
    CHECK(seen.body == R"({"order":"o 17"})");
    CHECK(seen.header("Idempotency-Key") == "key-1");
    CHECK(seen.header("Content-Type") == "application/json");
}

TEST_CASE("a missing output, or a success that does not hold, leaves a 2xx in doubt", "[http]") {
    TestServer server(always({.status = 200, .body = R"({"state": "half", "id": null})"}));
    Bench bench;
    PhaseSpec phase = post_to(server);
    SECTION("missing") {
        phase.outputs = named({{"rid", "$response.body#/rid"}});
        CHECK(bench.perform_once(phase, kPatient).reason ==
              "200 OK, but the output \"rid\" is missing ($response.body#/rid is missing)");
    }
    SECTION("null") {
        phase.outputs = named({{"id", "$response.body#/id"}});
        CHECK(bench.perform_once(phase, kPatient).verdict == Verdict::in_doubt);
    }
    SECTION("not accepted") {
        phase.success = condition_of("$response.body#/state == 'whole'");
        const Attempt attempt = bench.perform_once(phase, kPatient);
        CHECK(attempt.verdict == Verdict::in_doubt);
        CHECK(attempt.reason == "200 OK, but success ($response.body#/state == 'whole') does not hold");
    }
    SECTION("not proven") {
        phase.success = condition_of("$response.body#/state < 3");
        CHECK(bench.perform_once(phase, kPatient).verdict == Verdict::in_doubt);
    }
}

TEST_CASE("success may accept what is no 2xx", "[http]") {
    TestServer server(always({.status = 404}));
    Bench bench;
    PhaseSpec phase = phase_of(http("DELETE", server.url("/orders/7")));
    phase.success = condition_of("$statusCode == 204 || $statusCode == 404");
    CHECK(bench.perform_once(phase, kPatient).verdict == Verdict::done);
}

TEST_CASE("refused and notApplied refine what a status says", "[http]") {
    TestServer server(always({.status = 200, .body = R"({"error": "declined"})"}));
    Bench bench;
    PhaseSpec phase = post_to(server);
    phase.refused = condition_of("$response.body#/error == 'declined'");
    const Attempt refused = bench.perform_once(phase, kPatient);
    CHECK(refused.verdict == Verdict::refused);
    CHECK(refused.reason == "200 OK, refused by $response.body#/error == 'declined'");
    phase.not_applied = condition_of("$response.body#/error != null");
    CHECK(bench.perform_once(phase, kPatient).verdict == Verdict::not_applied);
}

TEST_CASE("statuses are classed with the key, the resend, and the server's own wish to wait", "[http]") {
    int status = 0;
    TestServer server([&status](const ServerRequest&) {
        return ServerReply{.status = status, .body = "the reason\nin two lines", .headers = {{"Retry-After", "7"}}};
    });
    Bench bench;
    PhaseSpec plain = post_to(server);
    PhaseSpec keyed = plain;
    keyed.idempotency = IdempotencySpec{};

    status = 503;
    CHECK(bench.perform_once(plain, kPatient).verdict == Verdict::in_doubt);
    const Attempt busy = bench.perform_once(keyed, kPatient);
    CHECK(busy.verdict == Verdict::not_applied);
    CHECK(busy.retry_after == Millis{7'000});
    CHECK(busy.reason == "503 Service Unavailable: the reason\\nin two lines");
    CHECK_FALSE(busy.not_connected);

    status = 409;
    CHECK(bench.perform_once(keyed, kPatient).verdict == Verdict::refused);
    CHECK(bench.perform_once(keyed, {.timeout = 30s, .resend = true}).verdict == Verdict::in_doubt);
    status = 422;
    CHECK(bench.perform_once(keyed, {.timeout = 30s, .resend = true}).park);
}

TEST_CASE("not connected is not applied; no answer in time and a broken one are in doubt", "[http]") {
    Bench bench;
    SECTION("not connected") {
        std::string url;
        {
            TestServer server(always({}));
            url = server.url("/");
        }
        const Attempt attempt = bench.perform_once(phase_of(http("POST", url)), kPatient);
        CHECK(attempt.verdict == Verdict::not_applied);
        CHECK(attempt.not_connected);
    }
    SECTION("no answer") {
        TestServer server(always({.delay = 60s}));
        const Attempt attempt = bench.perform_once(post_to(server), {.timeout = 300ms});
        CHECK(attempt.verdict == Verdict::in_doubt);
        CHECK(attempt.reason == "no answer within 300ms");
    }
    SECTION("half of one") {
        TestServer server(always({.body = "xxxx", .manner = ServerReply::Manner::stall_mid_body}));
        CHECK(bench.perform_once(post_to(server), {.timeout = 300ms}).verdict == Verdict::in_doubt);
        CHECK(server.requests().size() == 1);
    }
    SECTION("broken") {
        TestServer server(always({.body = "xxxx", .manner = ServerReply::Manner::close_mid_body}));
        CHECK(bench.perform_once(post_to(server), kPatient).verdict == Verdict::in_doubt);
        CHECK(server.requests().size() == 1);
    }
    SECTION("cut") {
        TestServer server(always({.delay = 60s}));
        auto cut = Interrupt::create();
        REQUIRE(cut);
        bench.work.cut = &*cut;
        auto running = std::async(std::launch::async, [&] { return bench.perform_once(post_to(server), kPatient); });
        REQUIRE(server.wait_for_requests(1));
        cut->fire();
        const Attempt attempt = running.get();
        CHECK(attempt.verdict == Verdict::in_doubt);
        CHECK(attempt.was_cut);
    }
}

TEST_CASE("a POST without a key is never sent twice over a connection that was used before", "[http][resend]") {
    TestServer server([](const ServerRequest& request) {
        ServerReply reply;
        if (request.method == "POST" && request.number_on_connection > 1) reply.manner = ServerReply::Manner::close;
        return reply;
    });
    Bench bench;
    CHECK(bench.perform_once(phase_of(http("GET", server.url("/"))), kPatient).verdict == Verdict::done);
    CHECK(bench.perform_once(post_to(server), kPatient).verdict == Verdict::done);
    CHECK(std::ranges::count(server.requests(), std::string("POST"), &ServerRequest::method) == 1);
}

TEST_CASE("a header's secret is resolved for each attempt, and no reason shows it", "[http][secrets]") {
    TestServer server([](const ServerRequest& request) {
        return ServerReply{.status = 400, .body = "bad: " + request.header("Authorization")};
    });
    Bench bench;
    bench.scope.secret = [](std::string_view) { return "s3cret$$x"; };
    HttpSpec spec = http("POST", server.url("/"));
    spec.headers = named({{"Authorization", "Bearer {$secrets.token}"}});
    const Attempt attempt = bench.perform_once(phase_of(spec), kPatient);
    CHECK(server.requests().at(0).header("Authorization") == "Bearer s3cret$$x");
    CHECK(attempt.verdict == Verdict::refused);
    CHECK(attempt.reason == "400 Bad Request: bad: Bearer ***");
}

TEST_CASE("an answer is shortened only when the secrets in it are hidden", "[http][secrets]") {
    TestServer server([](const ServerRequest& request) {
        return ServerReply{.status = 400,
                           .body = std::string(150, '.') + request.header("Authorization") + std::string(150, '.')};
    });
    Bench bench;
    const std::string secret = "s3cret-of-more-than-ten-bytes";
    bench.scope.secret = [&](std::string_view) { return secret; };
    HttpSpec spec = http("GET", server.url("/"));
    spec.headers = named({{"Authorization", "{$secrets.token}"}});
    const std::string shown = std::string(150, '.') + "***" + std::string(7, '.') + "…";
    CHECK(bench.perform_once(phase_of(spec), kPatient).reason == "400 Bad Request: " + shown);

    const ProbeSpec asking{spec, condition_of("$statusCode == 200"), {}, {}, Millis{30'000}, {}};
    CHECK(probe(asking, bench.scope, Millis{10'000}, bench.work).reason == "400 Bad Request: " + shown + ": unclear");

    const auto never = Interrupt::create();
    REQUIRE(never);
    const auto listing = fetch_listing(spec, bench.scope, 30s, *never, bench.work);
    REQUIRE_FALSE(listing);
    CHECK(listing.error().error.text.ends_with(": 400 Bad Request: " + shown));
}

TEST_CASE("the rendered request can be sent again from its journalled text", "[http][journal]") {
    TestServer server(always({.status = 200}));
    Bench bench;
    bench.scope.secret = [](std::string_view) { return "s3cret"; };
    HttpSpec spec = http("POST", server.url("/{$inputs.orderId}"));
    spec.headers = named({{"Authorization", "{$secrets.token}"}, {"X-Cost", "5$$ {$inputs.qty}"}});
    spec.body = body_of(R"({"n": "$inputs.price"})");
    PhaseSpec phase = phase_of(spec);
    phase.idempotency = IdempotencySpec{};
    const auto request = render_request(phase.action, phase.idempotency, bench.scope);
    REQUIRE(request);
    const std::string journalled = to_text(request->json);
    CHECK(journalled.find("s3cret") == std::string::npos);

    Scope later;  // another process: neither the item nor the key is known
    later.secret = bench.scope.secret;
    CHECK(perform(phase, *request, bench.scope, kPatient, bench.work).verdict == Verdict::done);
    CHECK(perform(phase, RenderedRequest{json_of(journalled)}, later, {.timeout = 30s, .resend = true}, bench.work).verdict ==
          Verdict::done);
    const auto seen = server.requests();
    CHECK(seen.at(0).body == seen.at(1).body);
    CHECK(seen[0].target == seen[1].target);
    CHECK(seen[0].headers == seen[1].headers);
    CHECK(seen[0].header("X-Cost") == "5$ 3");
}

TEST_CASE("a probe finds it applied, absent or unclear", "[probe]") {
    ServerReply reply;
    TestServer server([&reply](const ServerRequest&) { return reply; });
    Bench bench;
    ProbeSpec spec{.action = http("GET", server.url("/")),
                   .applied = condition_of("$response.body#/0/id != null"),
                   .absent = std::nullopt,
                   .outputs = named({{"rid", "$response.body#/0/id"}}),
                   .timeout = 30s,
                   .settle = std::nullopt};
    using Answer = ProbeOutcome::Answer;
    const auto answer = [&](int status, const std::string& body) {
        reply = {.status = status, .body = body};
        return probe(spec, bench.scope, Millis{10'000}, bench.work).answer;
    };
    CHECK(answer(200, R"([{"id": 7}])") == Answer::applied);
    CHECK(to_text(probe(spec, bench.scope, Millis{10'000}, bench.work).outputs) == R"({"rid":7})");
    CHECK(answer(200, "[]") == Answer::absent);
    CHECK(answer(200, "<html>") == Answer::unclear);
    CHECK(answer(404, "[]") == Answer::unclear);
    CHECK(answer(500, "[]") == Answer::unclear);
    spec.absent = condition_of("$statusCode == 404");
    CHECK(answer(404, "") == Answer::absent);
    CHECK(answer(200, "[]") == Answer::unclear);
    spec.outputs = named({{"rid", "$response.body#/0/nothing"}});
    CHECK(answer(200, R"([{"id": 7}])") == Answer::unclear);
}

TEST_CASE("a probe may be a command", "[probe]") {
    Bench bench;
    ProbeSpec spec{.action = shell(R"(echo '{"there": true}')"),
                   .applied = condition_of("$stdout#/there == true"),
                   .absent = std::nullopt,
                   .outputs = {},
                   .timeout = 30s,
                   .settle = std::nullopt};
    CHECK(probe(spec, bench.scope, Millis{10'000}, bench.work).answer == ProbeOutcome::Answer::applied);
    spec.action = shell(R"(echo '{"there": false}')");
    CHECK(probe(spec, bench.scope, Millis{10'000}, bench.work).answer == ProbeOutcome::Answer::absent);
    spec.action = shell(R"(echo '{"there": false}'; exit 1)");
    CHECK(probe(spec, bench.scope, Millis{10'000}, bench.work).answer == ProbeOutcome::Answer::unclear);
    spec.action = shell("exec sleep 60");
    CHECK(probe(spec, bench.scope, Millis{50}, bench.work).reason == "no end within 50ms, so it was ended");
}

TEST_CASE("items are listed by a GET or a command, or it is said why not", "[listing]") {
    Bench bench;
    const auto never = Interrupt::create();
    REQUIRE(never);
    ServerReply reply{.status = 200, .body = "[1]"};
    TestServer server([&reply](const ServerRequest&) { return reply; });
    const auto listed = [&](const ActionSpec& action) { return fetch_listing(action, bench.scope, 30s, *never, bench.work); };
    CHECK(listed(http("GET", server.url("/"))).value().body == "[1]");
    reply.status = 500;
    const auto failed = listed(http("GET", server.url("/")));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().error.failure == Failure::items);
    CHECK(failed.error().error.text == "listing the items: curl " + server.url("/") + ": 500 Internal Server Error: [1]");

    CHECK(listed(shell(R"(echo '{"a":1}'; echo note >&2)")).value().body == "{\"a\":1}\n");
    CHECK(bench.host.out().empty());  // the items are for us, not for the log
    CHECK(bench.host.err() == "note\n");
    CHECK_FALSE(listed(shell("exit 1")));
}

TEST_CASE("a stop ends the listing of items at once", "[listing]") {
    Bench bench;
    auto stop = Interrupt::create();
    REQUIRE(stop);
    TestServer server(always({.delay = 60s}));
    auto running = std::async(std::launch::async,
                              [&] { return fetch_listing(http("GET", server.url("/")), bench.scope, 60s, *stop, bench.work); });
    REQUIRE(server.wait_for_requests(1));
    stop->fire();
    const auto listing = running.get();
    REQUIRE_FALSE(listing);
    CHECK(listing.error().error.failure == Failure::stopped);
}
