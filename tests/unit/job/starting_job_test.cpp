#include "job/starting_job.hpp"

#include "unit/job/job_support.hpp"

using namespace lockstep;
using namespace lockstep::test;

TEST_CASE("every starting job is right as it stands, whatever its name, and bears it", "[init]") {
    const std::string kind{GENERATE(from_range(kStartingJobs))};
    const std::string name = GENERATE("a", "ship-orders", "NAME", "_X-9");
    const auto files = starting_job(kind, name);
    REQUIRE(files.front().name == name + ".json");
    const JobSpec job = right(files.front().text);
    CHECK(job.name == name);
    CHECK(job.lock == "/tmp/" + name + ".lock");
    CHECK(job.every.has_value() == (kind == "loop"));
    CHECK(job.items.has_value() == (kind == "batch"));
    CHECK_THAT(files.front().text, Catch::Matchers::Contains("$comment"));
    for (std::size_t i = 1; i < files.size(); ++i) CHECK_THAT(files.front().text, Catch::Matchers::Contains(files[i].name));
}
