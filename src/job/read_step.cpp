// A step and the secrets that it may use: of a job file, and of a definition that the journal kept.

#include "job/read.hpp"

namespace lockstep {

namespace {

SecretSpec read_secret(Reading& reading, const Place& at) {
    const Fields fields(reading.findings, at, shapes::kSecret);
    SecretSpec secret;
    fields.exactly_one({"env", "file"}, true);
    secret.env = read_text(reading.findings, fields.get("env")).value_or("");
    if (fields.has("env") && fields.get("env")->json->is_string() &&
        (secret.env.empty() || secret.env.find('=') != std::string::npos)) {
        reading.findings.add(*fields.get("env"), in_quotes(secret.env) + " is not the name of an environment variable",
                             "the secret itself never stands in a job file");
    }
    secret.file = read_path(reading.findings, fields.get("file"), reading.directory).value_or("");
    return secret;
}

}  // namespace

std::map<std::string, SecretSpec, std::less<>> read_secrets(Reading& reading, const std::optional<Place>& at) {
    std::map<std::string, SecretSpec, std::less<>> secrets;
    if (!at || !expect_type(reading.findings, *at, Json::Type::object)) return secrets;
    for (const JsonMember& member : at->json->members) {
        if (is_comment(reading.findings, *at, member)) continue;
        const Place place = at->member(member);
        check_name(reading.findings, place, "a secret", member.key);
        secrets[member.key] = read_secret(reading, place);
    }
    return secrets;
}

StepSpec read_step(Reading& reading, const Place& at, std::size_t index) {
    const Fields fields(reading.findings, at, shapes::kStep);
    StepSpec step;
    if (!fields.is_object()) {
        reading.budget_known = false;
        return step;
    }
    if (const auto name = read_text(reading.findings, fields.get("step"))) {
        check_name(reading.findings, *fields.get("step"), "a step", *name);
        step.name = *name;
    }
    Surroundings around{.step = index, .phase = PhaseName::first};
    std::optional<Place> compensate;
    if (const auto place = fields.get("first")) {
        const Fields first(reading.findings, *place, shapes::kFirst);
        step.first = read_phase(reading, first, around);
        compensate = first.get("compensate");
    } else {
        reading.budget_known = false;
    }
    if (const auto place = fields.get("second")) {
        around.phase = PhaseName::second;
        step.second = read_phase(reading, Fields(reading.findings, *place, shapes::kSecond), around);
    }
    if (compensate) {
        around.phase = PhaseName::compensate;
        step.compensate = read_phase(reading, Fields(reading.findings, *compensate, shapes::kCompensate), around);
        if (!fields.has("second")) {
            reading.findings.add(*compensate, "there is no second phase whose refusal this could answer",
                                 "add \"second\", or leave \"compensate\" out");
        }
    }
    return step;
}

}  // namespace lockstep
