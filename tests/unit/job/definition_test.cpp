// What is journalled beside an open pair says all that the job file said when the pair began.

#include "job/definition.hpp"

#include "job_support.hpp"

using namespace lockstep;
using namespace lockstep::test;

namespace {

std::string of(const std::vector<NamedTemplate>& list) {
    std::string text;
    for (const NamedTemplate& one : list) text += " " + one.name + "=" + one.value.source;
    return text;
}
std::string of(const std::optional<Template>& text) { return text ? text->source : "-"; }
std::string of(const std::optional<Condition>& condition) { return condition ? condition->source() : "-"; }
std::string of(const std::optional<Millis>& duration) { return duration ? format_duration(*duration) : "-"; }
std::string of(const std::vector<int>& numbers) {
    std::string text;
    for (const int number : numbers) text += " " + std::to_string(number);
    return text;
}

std::string of(const ActionSpec& action) {
    if (const auto* command = std::get_if<CommandSpec>(&action)) {
        std::string text = "argv";
        for (const Template& word : command->argv) text += " " + word.source;
        return text + " env" + of(command->env) + " cwd " + command->cwd + " stdin " + of(command->stdin_text);
    }
    const auto& http = std::get<HttpSpec>(action);
    std::string text = http.method + " " + http.url.source + " query" + of(http.query) + " headers" + of(http.headers) +
                       " body " + (http.body ? to_text(http.body->source()) : "-") + " form" + of(http.form) + " file " +
                       of(http.body_file) + " in " + http.directory;
    for (const MultipartSpec& part : http.multipart)
        text += " part " + part.name + of(part.value) + of(part.file) + part.content_type;
    return text;
}

std::string of(const std::optional<PhaseSpec>& phase) {
    if (!phase) return "none\n";
    std::string text = of(phase->action) + "\n" + of(phase->timeout) + of(phase->deadline);
    text += "\nretry " + std::to_string(phase->retry.max_attempts) + of(phase->retry.initial_interval) +
            std::to_string(phase->retry.backoff_rate) + of(phase->retry.max_interval) +
            (phase->retry.full_jitter ? "full" : "");
    text += "\nkey " + (phase->idempotency ? phase->idempotency->header + of(phase->idempotency->retention) : "-");
    text += phase->idempotent ? " idempotent" : "";
    text += "\n" + of(phase->success) + "|" + of(phase->refused) + "|" + of(phase->not_applied);
    text += "\n" + of(phase->refused_status) + "|" + of(phase->not_applied_status) + "|" + of(phase->outputs) + "\n";
    for (const InDoubtPolicy policy : phase->in_doubt) text += std::string(to_string(policy)) + " ";
    if (!phase->probe) return text + "\n";
    return text + of(phase->probe->action) + of(phase->probe->applied) + of(phase->probe->absent) + of(phase->probe->outputs) +
           of(phase->probe->timeout) + of(phase->probe->settle) + "\n";
}

std::string of(const StepSpec& step) {
    return step.name + "\n" + of(std::optional(step.first)) + of(step.second) + of(step.compensate);
}

void check_same(const JobSpec& job, const StepSpec& step) {
    INFO(step.definition);
    const auto read = parse_definition(step.definition);
    INFO((read ? "" : read.error().text));
    REQUIRE(read.has_value());
    CHECK(of(read->step) == of(step));
    CHECK(read->step.definition == step.definition);
    CHECK(to_text(read->params) == to_text(job.params));
    CHECK(read->directory == job.directory);
    CHECK(read->max_pair_attempts == job.max_pair_attempts);
    CHECK(read->park_after == job.park_after);
    REQUIRE(read->secrets.size() == job.secrets.size());
    for (const auto& [name, secret] : job.secrets) {
        REQUIRE(read->secrets.contains(name));
        CHECK(read->secrets.at(name).env == secret.env);
        CHECK(read->secrets.at(name).file == secret.file);
    }
}

std::string wrong(const std::string& text) {
    const auto read = parse_definition(text);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().failure == Failure::journal);
    return read.error().text;
}

const std::string kTop = R"(, "params": {"p": "default"}, "maxPairAttempts": 4, "parkAfter": "36h",
    "secrets": {"token": {"env": "TOKEN"}, "pin": {"file": "secrets/pin"}}, "steps": )";

const std::string kEverything = R"([{
    "step": "reserve",
    "first": {
      "http": {"method": "POST", "url": "http://h/{$params.p}", "query": {"q": "$inputs.a"},
               "headers": {"Authorization": "Bearer {$secrets.token}"}, "body": {"qty": 1.10, "x": ["$inputs.a"]}},
      "idempotencyKey": {"header": "X-Key", "retention": "24h"},
      "success": "$statusCode == 201", "refused": "$statusCode == 418", "notApplied": "$statusCode == 420",
      "outputs": {"rid": "$response.body#/id"}, "timeout": "5s", "deadline": "90s",
      "retry": {"maxAttempts": 4, "initialInterval": "50ms", "backoffRate": 1.5, "maxInterval": "8s", "jitter": "none"},
      "inDoubt": ["probe", "resend", "park"],
      "probe": {"command": {"argv": ["./probe", "$inputs.a"], "cwd": "bin"}, "applied": "$stdout#/0 != null",
                "absent": "$exitStatus == 0", "outputs": {"rid": "$stdout#/0/id"}, "timeout": "2s", "settle": "1s"},
      "compensate": {"http": {"method": "DELETE", "url": "http://h/{$steps.reserve.first.outputs.rid}"}, "deadline": "40s"}
    },
    "second": {
      "command": {"argv": ["./capture.sh", "{$steps.reserve.first.outputs.rid}"], "env": {"T": "{$secrets.token}"},
                  "stdin": "{$inputs.a}\n", "outputs": {"n": "$stdout"}},
      "timeout": "20s", "refusedStatus": [3], "notAppliedStatus": [4, 75], "inDoubt": ["park"]
    }
  }, {
    "step": "upload",
    "first": {"http": {"method": "PUT", "url": "http://h/u", "bodyFile": "out/{$inputs.a}.bin"}},
    "second": {"http": {"method": "PUT", "url": "http://h/{$steps.reserve.second.outputs.n}",
                        "multipart": [{"name": "f", "file": "f.bin", "contentType": "a/b"}, {"name": "v", "value": "1"}]}}
  }])";

JobSpec everything(const JobFileOptions& options = {}) {
    return right(
        R"({"lockstep": 1, "job": "a", "items": {"ndjson": "-", "key": "{$params.p}/{$inputs.a}"})" + kTop + kEverything + "}",
        options);
}

}  // namespace

TEST_CASE("a step read back from its journalled definition is the step of the job file", "[definition]") {
    const JobSpec job = everything();
    for (const StepSpec& step : job.steps) check_same(job, step);
}

TEST_CASE("every step of every job file that is right can be read back from its definition", "[definition]") {
    auto files = job_files("valid");
    for (const char* name : {"ship-orders", "sample-lock", "article"})
        files.push_back(std::filesystem::path(SOURCE_DIR) / "jobs" / (std::string(name) + ".json"));
    std::size_t steps = 0;
    for (const auto& file : files) {
        INFO(file);
        const auto job = read_job_file(file, {});
        if (!job) continue;  // needs a --set: other tests say which
        for (const StepSpec& step : job->steps) check_same(*job, step);
        steps += job->steps.size();
    }
    CHECK(steps >= 8);
}

TEST_CASE("a definition holds the parameters in force, with those of --set", "[definition]") {
    const auto read = parse_definition(everything({.set = {{"p", "set"}}, .lock = ""}).steps.front().definition);
    REQUIRE(read.has_value());
    CHECK(to_text(read->params) == R"({"p":"set"})");
}

TEST_CASE("relative paths of a definition lead where they led from the job file", "[definition]") {
    const JobSpec job = everything();
    const auto reserve = parse_definition(job.steps.front().definition, "/elsewhere");
    REQUIRE(reserve.has_value());
    CHECK(reserve->secrets.at("pin").file == "/jobs/secrets/pin");
    CHECK(std::get<CommandSpec>(reserve->step.first.probe->action).cwd == "/jobs/bin");
    CHECK(reserve->step.second->command()->cwd == "/jobs");
    CHECK(parse_definition(job.steps.back().definition)->step.first.http()->directory == "/jobs");
}

TEST_CASE("a definition says where secrets are found, and holds none of them", "[definition]") {
    REQUIRE(::setenv("LOCKSTEP_TEST_DEFINITION", "s3cret", 1) == 0);
    const JobSpec job = right(job_with(R"({"http": {"method": "PUT", "url": "http://h", "headers": {"A": "{$secrets.t}"}}})",
                                       R"("secrets": {"t": {"env": "LOCKSTEP_TEST_DEFINITION"}})"));
    CHECK(job.steps.front().definition.find("s3cret") == std::string::npos);
    CHECK(parse_definition(job.steps.front().definition)->secrets.at("t").env == "LOCKSTEP_TEST_DEFINITION");
}

TEST_CASE("a definition of journal version 1 is the step alone", "[definition]") {
    const auto read = parse_definition(
        R"({"step":"s","first":{"command":["./a","$steps.before.first.outputs.x"],"timeout":"1s","inDoubt":["park"]}})",
        "/jobs");
    REQUIRE(read.has_value());
    CHECK(read->step.name == "s");
    CHECK(read->step.first.command()->cwd == "/jobs");
    CHECK(to_text(read->params) == "{}");
    CHECK(read->secrets.empty());
    CHECK(read->max_pair_attempts == 10);
    CHECK(read->park_after == std::chrono::hours{24});
}

TEST_CASE("a damaged definition is refused with all that is wrong with it", "[definition]") {
    CHECK(wrong("{\"step\":").find("not JSON") != std::string::npos);
    CHECK(wrong("[]").find("an object") != std::string::npos);
    const std::string text = wrong(R"({"step":{"step":"s","first":{"http":{"method":"PUTT","url":"http://h"}}},
        "params":[],"secrets":{},"directory":"jobs","maxPairAttempts":0,"parkAfter":"1d"})");
    for (const char* part : {"/step/first/http/method", "/params", "/directory", "/maxPairAttempts"}) {
        INFO(text);
        CHECK(text.find(part) != std::string::npos);
    }
    CHECK(wrong(R"({"step":{"step":"s"}})").find("first") != std::string::npos);
}
