// What a job file means where it says nothing, and how its places and parameters are resolved.

#include "unit/job/job_support.hpp"

using namespace lockstep;
using namespace lockstep::test;
using namespace std::chrono_literals;

namespace {

const std::string kPut = R"({"http": {"method": "PUT", "url": "http://h/a"}})";

PhaseSpec first_of(const std::string& first) { return right(job_with(first)).steps.front().first; }

std::string command(const std::string& rest) {
    return R"({"command": ["true"], "timeout": "5s", "inDoubt": ["park"])" + rest + "}";
}

}  // namespace

TEST_CASE("the defaults of a job", "[job]") {
    const JobSpec job = right(job_with(kPut));
    CHECK(job.lock == "/tmp/a.lock");
    CHECK(job.file == "a.json");
    CHECK(job.directory == "/jobs");
    CHECK_FALSE(job.every.has_value());
    CHECK_FALSE(job.items.has_value());
    CHECK_FALSE(job.key.has_value());
    CHECK_FALSE(job.shield.has_value());
    CHECK_FALSE(job.tolerated_failure_count.has_value());
    CHECK(job.max_concurrency == 1);
    CHECK(job.max_pair_attempts == 10);
    CHECK(job.park_after == Millis{24h});
    CHECK_FALSE(job.expect_every.has_value());
    CHECK(job.keep_history == Millis{24h * 30});
    CHECK_FALSE(job.forget_items.has_value());
    CHECK(job.section == Section::step);
    CHECK(job.stop.at_deadline == AtDeadline::finish);
    CHECK(job.stop.grace == job.longest_pair());
    CHECK(job.params.is_object());
}

TEST_CASE("the defaults of an http phase", "[job]") {
    const PhaseSpec phase = first_of(kPut);
    CHECK(phase.timeout == Millis{10s});
    CHECK(phase.retry.max_attempts == 3);
    CHECK(phase.retry.initial_interval == Millis{500});
    CHECK(phase.retry.max_interval == Millis{10s});
    CHECK(phase.retry.full_jitter);
    CHECK(phase.deadline == Millis{31'500});  // three attempts of 10 s, pauses of 0.5 s and 1 s
    CHECK(phase.in_doubt == std::vector{InDoubtPolicy::resend, InDoubtPolicy::park});
    CHECK_FALSE(phase.success.has_value());
}

TEST_CASE("the defaults of a command", "[job]") {
    const PhaseSpec phase = first_of(command(""));
    CHECK(phase.retry.max_attempts == 1);
    CHECK(phase.deadline == Millis{5s});
    CHECK(phase.command()->cwd == "/jobs");
    CHECK(first_of(command(R"(, "idempotencyKey": {})")).idempotency->header == "Idempotency-Key");
}

TEST_CASE("the default deadline is what attempts, pauses and a probe can add up to", "[job]") {
    const auto deadline = [](const std::string& retry) { return first_of(command(R"(, "retry": )" + retry)).deadline; };
    CHECK(deadline(R"({"maxAttempts": 4, "initialInterval": "1s", "backoffRate": 3, "maxInterval": "5s"})") ==
          Millis{20s + 1s + 3s + 5s});
    CHECK(deadline(R"({"maxAttempts": 3, "initialInterval": "20s"})") ==
          Millis{15s + 20s + 20s});  // no shorter pause than the first
    CHECK(deadline(R"({"maxAttempts": 3, "initialInterval": "100ms", "backoffRate": 1.5})") == Millis{15'250});
    CHECK(
        first_of(R"({"command": ["true"], "timeout": "3650d", "inDoubt": ["park"], "retry": {"maxAttempts": 100}})").deadline ==
        kLongestDuration);
    CHECK(first_of(R"({"command": ["true"], "timeout": "5s", "inDoubt": ["probe", "park"],
                       "probe": {"command": ["true"], "timeout": "7s", "applied": "$exitStatus == 0"}})")
              .deadline == Millis{5s + 7s});
}

TEST_CASE("the longest pair is all deadlines and 5 s for each phase that runs commands", "[job]") {
    const std::string first = R"({"http": {"method": "PUT", "url": "http://h"}, "deadline": "20s",
                                  "compensate": {"http": {"method": "DELETE", "url": "http://h"}, "deadline": "15s"}})";
    const JobSpec job = right(job_with(first, R"("stop": {"grace": "45s"})", command("")));
    CHECK(job.longest_pair() == Millis{45s});
    CHECK(job.stop.grace == Millis{45s});
    CHECK(supervisor_patience(job) == Millis{50s});
    CHECK(job.steps[0].phase(PhaseName::compensate)->deadline == Millis{15s});
    const std::string probed =
        R"({"http": {"method": "PUT", "url": "http://h"}, "deadline": "20s", "inDoubt": ["probe", "park"],
                                   "probe": {"command": ["true"], "timeout": "1m", "applied": "$exitStatus == 0"}})";
    CHECK(right(job_with(probed)).longest_pair() == Millis{25s});
    const std::string steps =
        R"("steps": [{"step": "s", "first": )" + command("") + R"(}, {"step": "t", "first": )" + command("") + "}]}";
    CHECK(right(R"({"lockstep": 1, "job": "a", )" + steps).longest_pair() == Millis{10s});
    CHECK(right(R"({"lockstep": 1, "job": "a", "section": "item", )" + steps).longest_pair() == Millis{20s});
}

TEST_CASE("what may be sent twice needs no inDoubt, all else must say it", "[job]") {
    const auto accepted = [](const std::string& phase) { return errors_of(job_with(phase)).empty(); };
    for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
        CHECK(accepted(R"({"http": {"method": ")" + std::string(method) + R"(", "url": "http://h"}})"));
    }
    for (const char* method : {"POST", "PATCH"}) {
        const std::string http = R"({"http": {"method": ")" + std::string(method) + R"(", "url": "http://h"})";
        CHECK_FALSE(accepted(http + "}"));
        CHECK(accepted(http + R"(, "inDoubt": ["park"]})"));
        CHECK(accepted(http + R"(, "idempotencyKey": {}})"));
        CHECK(accepted(http + R"(, "idempotent": true})"));
        CHECK_FALSE(accepted(http + R"(, "inDoubt": ["resend"]})"));
        CHECK(accepted(http + R"(, "idempotent": true, "inDoubt": ["resend"]})"));
    }
}

TEST_CASE("relative paths are relative to the job file, --lock to the working directory", "[job]") {
    const std::string text = job_with(
        kPut, R"("lock": "locks/a", "items": {"csv": "../i.csv", "key": "$inputs.id"}, "secrets": {"t": {"file": "t"}})");
    const JobSpec job = right(text);
    CHECK(job.lock == "/jobs/locks/a");
    CHECK(std::get<ItemsSpec::Csv>(job.items->source).path == "/jobs/../i.csv");
    CHECK(job.secrets.at("t").file == "/jobs/t");
    CHECK(right(text, {.set = {}, .lock = "/var/x.lock"}).lock == "/var/x.lock");
    CHECK(right(text, {.set = {}, .lock = "x.lock"}).lock == (std::filesystem::current_path() / "x.lock").string());
    CHECK_FALSE(errors_of(text, {.set = {}, .lock = "etcd://h/x"}).empty());
}

TEST_CASE("a program with a slash lies beside the job file, wherever it is run", "[job]") {
    const auto program = [](const std::string& argv0, const std::string& cwd) {
        const std::string command = R"({"command": {"argv": [")" + argv0 + R"("])" +
                                    (cwd.empty() ? "" : R"(, "cwd": ")" + cwd + "\"") +
                                    R"(}, "timeout": "1s", "inDoubt": ["park"]})";
        const PhaseSpec phase = first_of(command);
        return render(phase.command()->argv[0], Scope{.secret = [](std::string_view) { return Result<std::string>(); }})
                   .value() +
               " in " + phase.command()->cwd;
    };
    CHECK(program("./x", "") == "./x in /jobs");
    CHECK(program("./x", "work") == "/jobs/./x in /jobs/work");
    CHECK(program("bin/$$x", "/w") == "/jobs/bin/$x in /w");
    CHECK(program("/bin/x", "work") == "/bin/x in /jobs/work");
    CHECK(program("x", "work") == "x in /jobs/work");
}

TEST_CASE("--set fills declared parameters and keeps their type", "[job]") {
    const std::string text = job_with(kPut, R"("params": {"text": "a", "number": 1.50, "flag": false, "must": null})");
    const auto params = [&](std::vector<std::pair<std::string, std::string>> set) {
        set.emplace_back("must", "1");
        return to_text(right(text, {.set = std::move(set), .lock = ""}).params);
    };
    CHECK(params({}) == R"({"text":"a","number":1.50,"flag":false,"must":"1"})");
    CHECK(params({{"text", "7"}, {"number", "2e3"}, {"flag", "true"}}) ==
          R"({"text":"7","number":2e3,"flag":true,"must":"1"})");
    CHECK(params({{"text", "b"}, {"text", "c"}}).find("\"c\"") != std::string::npos);

    const auto refused = [&](const std::string& name, const std::string& value) {
        return errors_of(text, {.set = {{"must", "1"}, {name, value}}, .lock = ""});
    };
    CHECK(refused("number", "x") == "a.json: --set number=x: the parameter is a number");
    CHECK(refused("number", "\"1\"") == "a.json: --set number=\"1\": the parameter is a number");
    CHECK(refused("flag", "yes") == "a.json: --set flag=yes: the parameter is true or false");
    CHECK(refused("text", "caf\xE9") == "a.json: --set text=caf\\xe9: the value is not UTF-8");
    CHECK(refused("flga", "true") == "a.json: --set flga: the job has no such parameter; did you mean \"flag\"?");
    CHECK(errors_of(text).find("/params/must: the parameter \"must\" has no value") != std::string::npos);
}

TEST_CASE("numbers and booleans stand for their text in queries and arguments", "[job]") {
    const PhaseSpec phase =
        first_of(R"({"http": {"method": "GET", "url": "http://h", "query": {"limit": 1.50, "all": true, "dollar": "a$$b"}}})");
    const Scope scope{.secret = [](std::string_view) { return Result<std::string>(); }};
    CHECK(render(phase.http()->query[0].value, scope).value() == "1.50");
    CHECK(render(phase.http()->query[1].value, scope).value() == "true");
    CHECK(render(phase.http()->query[2].value, scope).value() == "a$b");
}

TEST_CASE("the outputs of a command may stand beside it or inside it", "[job]") {
    CHECK(first_of(command(R"(, "outputs": {"o": "$stdout"})")).outputs.front().name == "o");
    CHECK(first_of(R"({"command": {"argv": ["a"], "outputs": {"o": "$stdout"}}, "timeout": "1s", "inDoubt": ["park"]})")
              .outputs.front()
              .name == "o");
}
