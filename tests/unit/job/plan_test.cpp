#include "unit/job/job_support.hpp"

using namespace lockstep;
using namespace lockstep::test;

namespace {

JobSpec ship_orders() {
    const auto path = std::filesystem::path(TEST_DATA_DIR) / "valid/ship-orders.json";
    return parse_job(contents(path), "ship-orders.json", "/jobs", {}).value();
}

}  // namespace

TEST_CASE("the plan tells what will happen, in lines that stand below each other", "[plan]") {
    CHECK(describe_plan(ship_orders()) ==
          R"(ship-orders: ship-orders.json is right
  lock       /tmp/ship-orders.lock
  items      NDJSON /jobs/pending.ndjson, key {$params.warehouse}/{$inputs.orderId}
  every      3s (lockstep loop)
  in flight  4
  failures   a pass ends when more than 10 items fail

  step                 phase       what                                                      timeout  deadline  attempts  a second time                in doubt
  reserve-and-capture  first       POST http://127.0.0.1:8080/reservations                   5s       15s       4         key Idempotency-Key for 24h  probe, resend, park
                       second      ./capture.sh '{$steps.reserve-and-capture.first.…         20s      20s       1         never sent twice             park
                       compensate  DELETE http://127.0.0.1:8080/reservations/{$steps.reser…  10s      15s       3         harmless: DELETE             resend, park

  longest pair  55s
  stop.grace    75s, and what has begun is finished even then
  supervisor    must wait 60s after TERM: supervisord stopwaitsecs=60, systemd TimeoutStopSec=60s
)");
}

TEST_CASE("the plan as JSON has the same numbers", "[plan]") {
    const Json plan = plan_as_json(ship_orders());
    CHECK(plan.find("longestPairMs")->text == "55000");
    CHECK(plan.find("graceMs")->text == "75000");
    CHECK(plan.find("supervisorPatienceSeconds")->text == "60");
    const Json& phases = *plan.find("steps")->elements.front().find("phases");
    REQUIRE(phases.elements.size() == 3);
    CHECK(to_text(*phases.elements[0].find("inDoubt")) == R"(["probe","resend","park"])");
    CHECK(to_text(*phases.elements[1].find("canResend")) == "false");
    CHECK(phases.elements[2].find("phase")->text == "compensate");
}

TEST_CASE("every right job file has a plan", "[plan]") {
    for (const auto& file : job_files("valid")) {
        const auto job = read_job_file(file, {});
        REQUIRE(job.has_value());
        CHECK(describe_plan(*job).find(job->name + ": ") == 0);
        CHECK(parse_json(to_text(plan_as_json(*job))).has_value());
    }
}
