// The whole job, key by key in the order of the manual.

#include <unistd.h>

#include <cstdlib>

#include "job/definition.hpp"
#include "job/read.hpp"

namespace lockstep {

namespace {

constexpr int kMostFailures = 1'000'000'000;

void check_version(Reading& reading, const std::optional<Place>& at) {
    if (!at || !expect_type(reading.findings, *at, Json::Type::number) || at->json->text == "1") return;
    reading.findings.add(*at, "this lockstep reads version 1 of the job file, not version " + in_quotes(at->json->text));
}

std::string read_job_name(Reading& reading, const std::optional<Place>& at) {
    const auto name = read_text(reading.findings, at);
    if (name) check_name(reading.findings, *at, "a job", *name);
    return name.value_or("");
}

/// --lock is relative to where the person stands, "lock" to the job file.
std::string read_lock(Reading& reading, const std::optional<Place>& at, const std::string& job, const JobFileOptions& options) {
    constexpr std::string_view kAdvice = "use a directory, such as \"/tmp/NAME.lock\"";
    if (at && at->json->is_string() && at->json->text.find("://") != std::string::npos) {
        const bool etcd = at->json->text.starts_with("etcd://");
        reading.findings.add(
            *at, etcd ? "a lock in etcd is not possible in this version" : in_quotes(at->json->text) + " is not a directory",
            std::string(kAdvice));
        return "";
    }
    const auto stated = read_path(reading.findings, at, reading.directory);
    if (options.lock.empty()) return stated.value_or("/tmp/" + job + ".lock");
    if (options.lock.find("://") != std::string::npos) {
        reading.findings.add_general("--lock " + options.lock + ": a lock that is no directory is not possible in this version",
                                     std::string(kAdvice));
        return "";
    }
    if (options.lock.starts_with('/')) return options.lock;
    char* here = ::getcwd(nullptr, 0);
    const std::string directory = here != nullptr ? here : "";
    ::free(here);  // NOLINT: what getcwd(3) allocated
    return directory + "/" + options.lock;
}

void read_stop(Reading& reading, const std::optional<Place>& at, JobSpec& job) {
    std::optional<Place> grace;
    if (at) {
        const Fields fields(reading.findings, *at, shapes::kStop);
        grace = fields.get("grace");
        if (const auto word = read_word(reading.findings, fields.get("atDeadline"), shapes::kAtDeadline)) {
            job.stop.at_deadline = keys::kAtDeadlineWords[*word] == "cut" ? AtDeadline::cut : AtDeadline::finish;
        }
    }
    read_grace(reading, grace, job);
}

void read_steps(Reading& reading, const std::optional<Place>& at, JobSpec& job) {
    if (!at || !expect_type(reading.findings, *at, Json::Type::array)) return;
    if (at->json->elements.empty()) reading.findings.add(*at, "a job needs at least one step");
    for (std::size_t i = 0; i < at->json->elements.size(); ++i) {
        const Place place = at->element(i);
        StepSpec step = read_step(reading, place, i);
        step.definition = definition_text(*place.json, job, reading.directory);
        if (!step.name.empty() && job.step(step.name) != nullptr) {
            const JsonMember* name = nullptr;
            for (const JsonMember& member : place.json->members) name = member.key == "step" ? &member : name;
            reading.findings.add(place.member(*name), "a step " + in_quotes(step.name) + " stands in this job already",
                                 "choose another name");
        }
        job.steps.push_back(std::move(step));
    }
}

void read_items_and_key(Reading& reading, const Fields& fields, JobSpec& job) {
    const auto items = fields.get("items");
    const auto key = fields.get("key");
    if (items) job.items = read_items(reading, *items).value_or(ItemsSpec{});
    if (!key) return;
    if (items) {
        reading.findings.add(*key, "the key of a job with items stands inside \"items\"", "move it there");
        return;
    }
    job.key = read_template(reading, key, {.role = Surroundings::Role::job_key});
}

std::optional<Place> key_place(const Fields& fields) {
    const auto items = fields.get("items");
    if (!items) return fields.get("key");
    const Json* key = items->json->find("key");
    return key != nullptr ? std::optional(Place{key, items->pointer + "/key"}) : std::nullopt;
}

}  // namespace

JobSpec read_job(Reading& reading, const Place& root, const JobFileOptions& options) {
    const Fields fields(reading.findings, root, shapes::kJob);
    JobSpec job;
    job.params = Json::object();
    if (!fields.is_object()) return job;
    Findings& findings = reading.findings;
    read_text(findings, fields.get("$schema"));
    check_version(reading, fields.get("lockstep"));
    job.name = read_job_name(reading, fields.get("job"));
    job.lock = read_lock(reading, fields.get("lock"), job.name, options);
    job.every = read_duration(findings, fields.get("every"));
    job.expect_every = read_duration(findings, fields.get("expectEvery"));
    job.params = read_params(reading, fields.get("params"), options);
    read_items_and_key(reading, fields, job);
    job.max_concurrency = read_whole_number(findings, fields.get("maxConcurrency"), 1, kMostInFlight).value_or(1);
    job.tolerated_failure_count = read_whole_number(findings, fields.get("toleratedFailureCount"), 0, kMostFailures);
    job.max_pair_attempts =
        read_whole_number(findings, fields.get("maxPairAttempts"), 1, keys::kMostPairAttempts).value_or(job.max_pair_attempts);
    job.park_after = read_duration(findings, fields.get("parkAfter")).value_or(job.park_after);
    job.keep_history = read_duration(findings, fields.get("keepHistory")).value_or(job.keep_history);
    job.forget_items = read_duration(findings, fields.get("forgetItems"));
    if (const auto word = read_word(findings, fields.get("section"), shapes::kSection)) {
        job.section = keys::kSectionWords[*word] == "item" ? Section::item : Section::step;
    }
    job.shield = read_boolean(findings, fields.get("shield"));
    job.secrets = read_secrets(reading, fields.get("secrets"));
    job.on_failure = read_notice(reading, fields.get("onFailure"));
    job.on_parked = read_notice(reading, fields.get("onParked"));
    job.on_recovered = read_notice(reading, fields.get("onRecovered"));
    job.heartbeat = read_notice(reading, fields.get("heartbeat"));
    read_steps(reading, fields.get("steps"), job);
    read_stop(reading, fields.get("stop"), job);
    for (const ExpressionUse& use : reading.uses) {
        if (use.expression.kind == Expression::Kind::secrets) job.used_secrets.insert(use.expression.name);
    }
    check_references(reading, job);
    check_key(reading, job, key_place(fields));
    check_duplicate_keys(findings, root);
    return job;
}

}  // namespace lockstep
