#pragma once
// Pairs and passes to report about.

#include <catch2/catch.hpp>

#include "job/job_file.hpp"
#include "report/pair_view.hpp"

namespace lockstep::test {

/// The definition of a step with outputs, a second phase and a compensation.
inline std::string charge_definition() {
    const auto job = parse_job(R"({"lockstep": 1, "job": "ship", "secrets": {"token": {"env": "NO_SUCH_VARIABLE"}},
        "steps": [{"step": "charge", "first": {
            "http": {"method": "POST", "url": "http://h/r", "headers": {"Authorization": "Bearer {$secrets.token}"}},
            "idempotencyKey": {}, "outputs": {"rid": "$response.body#/id"},
            "compensate": {"http": {"method": "DELETE", "url": "http://h/r"}}},
          "second": {"command": {"argv": ["./b"]}, "timeout": "1s", "inDoubt": ["park"]}}]})",
                               "a.json", "/jobs", {});
    INFO((job ? "" : job.error().error.text));
    REQUIRE(job.has_value());
    return job->steps.front().definition;
}

constexpr std::int64_t kNow = 1'795'402'800'000;

inline Pair charge(const std::string& key, PairState state, PairState parked_from = PairState::pending) {
    Pair pair;
    pair.item_key = key;
    pair.step = "charge";
    pair.state = state;
    pair.parked_from = parked_from;
    pair.attempt = 4;
    pair.pair_attempts = 1;
    pair.item = "{}";
    pair.definition = charge_definition();
    pair.request = R"({"http":{"method":"POST","url":"http://h/r","headers":[["Authorization","Bearer {$secrets.token}"]]}})";
    pair.outputs = "{}";
    pair.reason = "no answer within 5s";
    pair.run_id = "r1";
    pair.begun_ms = kNow - 7'200'000;
    pair.changed_ms = kNow - 3'600'000;
    return pair;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace lockstep::test
