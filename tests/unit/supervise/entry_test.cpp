// The entries as text; that the supervisors themselves take them is in tests/system/test_setup.py.

#include <catch2/catch.hpp>

#include "job/job_file.hpp"
#include "supervise/entry_words.hpp"
#include "supervise/stop_budget.hpp"

using namespace lockstep;
using Catch::Matchers::Contains;

namespace {

JobSpec job(const std::string& top = "", const std::string& more_steps = "") {
    const auto read = parse_job(R"({"lockstep": 1, "job": "Ship_it", )" + top + R"("steps": [{"step": "charge",
        "first": {"http": {"method": "PUT", "url": "http://h/a"}, "deadline": "40s"},
        "second": {"command": ["./b"], "timeout": "20s", "inDoubt": ["park"]}})" +
                                    more_steps + "]}",
                                "jobs/a.json", "/srv/jobs", {});
    INFO((read ? "" : read.error().error.text));
    REQUIRE(read.has_value());
    return *read;
}

EntryRequest request(std::optional<Millis> every = std::nullopt) {
    EntryRequest request;
    request.program = "/usr/bin/lockstep";
    request.job_file = "/srv/jobs/a.json";
    request.every = every;
    request.user = "anna";
    request.home = "/home/anna";
    request.image = "ship:1";
    return request;
}

const std::string kShort =
    R"(, {"step": "tell", "first": {"http": {"method": "PUT", "url": "http://h/b"}, "deadline": "10s"}})";

}  // namespace

TEST_CASE("the budget is the longest pair and a margin, and its parts are the phases of that pair", "[budget]") {
    const StopBudget budget = stop_budget(job("", kShort));
    CHECK(budget.longest_pair == Millis{65'000});
    CHECK(budget.seconds == 70);
    REQUIRE(budget.parts.size() == 2);
    CHECK(budget.parts[0].what == "charge first");
    CHECK(budget.parts[1].why == "deadline 20s, and 5s to end a command that overruns it");
    Millis sum = budget.margin;
    for (const auto& part : budget.parts) sum += part.time;
    CHECK(sum == Millis{70'000});
}

TEST_CASE("where a stop divides no item, the budget is that of all steps", "[budget]") {
    const StopBudget budget = stop_budget(job(R"("section": "item", )", kShort));
    CHECK(budget.parts.size() == 3);
    CHECK(budget.seconds == 80);
}

TEST_CASE("part of a second is a whole one for a supervisor", "[budget]") {
    const auto read = parse_job(
        R"({"lockstep": 1, "job": "a", "steps": [{"step": "s", "first": {"http": {"method": "PUT", "url": "http://h/"}, "timeout": "100ms", "deadline": "100ms"}}]})",
        "a.json", "/", {});
    REQUIRE(read.has_value());
    CHECK(stop_budget(*read).seconds == 6);
}

TEST_CASE("every entry tells its supervisor to wait as long as the job needs, and shows the sum", "[entry]") {
    const JobSpec spec = job();
    const auto loop = request(Millis{3000});
    CHECK_THAT(supervisord_entry(spec, loop)->front().text, Contains("\nstopwaitsecs=70\n"));
    CHECK_THAT(systemd_entry(spec, loop)->front().text, Contains("\nTimeoutStopSec=70s\n"));
    CHECK_THAT(kubernetes_entry(spec, loop)->front().text, Contains("\n      terminationGracePeriodSeconds: 70\n"));
    CHECK_THAT(kubernetes_entry(spec, request())->front().text, Contains("\n          terminationGracePeriodSeconds: 70\n"));
    for (const auto& files : {supervisord_entry(spec, loop), systemd_entry(spec, loop), cron_entry(spec, request(), false),
                              kubernetes_entry(spec, loop)}) {
        CHECK_THAT(files->front().text, Contains("charge first") && Contains("the longest pair    65s"));
    }
}

TEST_CASE("a loop under systemd is a service, a job at set times a service and a timer", "[entry]") {
    const auto loop = systemd_entry(job(), request(Millis{3000}));
    REQUIRE(loop->size() == 1);
    CHECK_THAT(loop->front().text, Contains("ExecStart=/usr/bin/lockstep loop /srv/jobs/a.json\n") && Contains("Type=exec"));
    const auto timed = systemd_entry(job(), request());
    REQUIRE(timed->size() == 2);
    CHECK_THAT((*timed)[0].text, Contains("ExecStart=/usr/bin/lockstep run /srv/jobs/a.json\n") && Contains("Type=oneshot"));
    CHECK_THAT((*timed)[1].text, Contains("Persistent=true"));
}

TEST_CASE("a line of /etc/cron.d names the account, one of crontab -e does not", "[entry]") {
    CHECK_THAT(cron_entry(job(), request(), true)->front().text, Contains("\n0 * * * *  anna  PATH="));
    CHECK(cron_entry(job(), request(), true)->front().name == "Ship_it");
    CHECK_THAT(cron_entry(job(), request(), false)->front().text, Contains("\n0 * * * *  PATH="));
    CHECK_THAT(cron_entry(job(), request(), false)->front().text, Contains("lockstep run --quiet /srv/jobs/a.json\n"));
}

TEST_CASE("times that cron would not take are refused, and nothing is made", "[entry]") {
    auto wrong = request();
    wrong.schedule = GENERATE("hourly", "* * * *", "* * * * * *", "* * * * *\n* * * * * root rm", "@daily x");
    CHECK_FALSE(cron_entry(job(), wrong, false).has_value());
    CHECK_FALSE(kubernetes_entry(job(), wrong).has_value());
    auto right = request();
    right.schedule = GENERATE("*/5 * * * *", "@daily", "0 3 * * 1-5");
    CHECK(cron_entry(job(), right, false).has_value());
}

TEST_CASE("a job's name becomes one that Kubernetes takes", "[entry]") {
    CHECK_THAT(kubernetes_entry(job(), request())->front().text, Contains("\n  name: ship-it\n"));
}

TEST_CASE("the volume that outlives the pods is mounted where the journal lies", "[entry]") {
    CHECK_THAT(kubernetes_entry(job(), request())->front().text,
               Contains("\"--state-dir\", \"/var/lib/lockstep\"") && Contains("mountPath: \"/var/lib/lockstep\"\n"));
    auto elsewhere = request();
    elsewhere.options = {"--state-dir", "/data/$(x) #1"};
    CHECK_THAT(kubernetes_entry(job(), elsewhere)->front().text,
               Contains("\"--state-dir\", \"/data/$$(x) #1\"") && Contains("mountPath: \"/data/$(x) #1\"\n"));
    elsewhere.options.back() = "/data:1";
    CHECK_FALSE(kubernetes_entry(job(), elsewhere).has_value());
}

TEST_CASE("the variables that hold secrets are named in every entry, for the supervisor has to give them", "[entry]") {
    const auto read = parse_job(
        R"({"lockstep": 1, "job": "a", "secrets": {"token": {"env": "SHOP_TOKEN"}, "unused": {"env": "OTHER"}},
            "steps": [{"step": "s", "first": {"http": {"method": "PUT", "url": "http://h/", "headers": {"A": "{$secrets.token}"}}}}]})",
        "a.json", "/", {});
    REQUIRE(read.has_value());
    const auto loop = request(Millis{3000});
    for (const auto& files : {supervisord_entry(*read, loop), systemd_entry(*read, loop), cron_entry(*read, request(), false),
                              kubernetes_entry(*read, loop)}) {
        CHECK_THAT(files->front().text, Contains("SHOP_TOKEN") && !Contains("OTHER"));
    }
}

TEST_CASE("each supervisor's own specials are escaped in the command", "[entry]") {
    const std::vector<std::string> words = {"/a b/lockstep", "50%", "$HOME", "x;y", "it's", "$(date)", " # "};
    CHECK(for_supervisord(words) == R"~('/a b/lockstep' 50%% '$HOME' 'x;y' 'it'\''s' '$(date)' ' ''# ')~");
    CHECK(for_systemd(words) == R"~("/a b/lockstep" 50%% $$HOME "x;y" "it's" $$(date) " # ")~");
    CHECK(for_cron(words) == R"~('/a b/lockstep' 50\% '$HOME' 'x;y' 'it'\''s' '$(date)' ' # ')~");
    CHECK(for_yaml({"$(date)", "a\"b"}) == R"~(["$$(date)", "a\"b"])~");
}

TEST_CASE("a path with a line break is refused: it would be a line of its own", "[entry]") {
    auto wrong = request(Millis{3000});
    wrong.job_file = "/srv/a\nuser=root\n.json";
    for (const auto& files : {supervisord_entry(job(), wrong), systemd_entry(job(), wrong), cron_entry(job(), wrong, false),
                              kubernetes_entry(job(), wrong)}) {
        REQUIRE_FALSE(files.has_value());
        CHECK(files.error().failure == Failure::usage);
    }
}

TEST_CASE("where nobody says when, a job is run as often as it is expected to succeed", "[entry]") {
    const auto times = [](const std::string& every) { return timetable_for(job("\"expectEvery\": \"" + every + "\", ")); };
    CHECK(times("1m").cron == "* * * * *");
    CHECK(times("5m").cron == "*/5 * * * *");
    CHECK(times("5m").calendar == "*:0/5");
    CHECK(times("1h").calendar == "hourly");
    CHECK(times("6h").cron == "0 */6 * * *");
    CHECK(times("6h").calendar == "0/6:00");
    CHECK(times("1d").cron == "0 3 * * *");
    CHECK(times("7m").cron == "0 * * * *");
    CHECK(times("30s").cron == "0 * * * *");
}
