#include "job/definition.hpp"

#include "job/read.hpp"

namespace lockstep {

namespace {

constexpr KeySpec kDefinitionKeys[] = {
    {"step", keys::kRequired},      {"params", keys::kRequired},          {"secrets", keys::kRequired},
    {"directory", keys::kRequired}, {"maxPairAttempts", keys::kRequired}, {"parkAfter", keys::kRequired}};
constexpr ObjectShape kDefinitionShape{"definition", kDefinitionKeys};

Json declarations(const std::map<std::string, SecretSpec, std::less<>>& secrets) {
    Json object = Json::object();
    for (const auto& [name, secret] : secrets) {
        Json declaration = Json::object();
        if (!secret.env.empty()) declaration.set("env", Json::of_string(secret.env));
        if (!secret.file.empty()) declaration.set("file", Json::of_string(secret.file));
        object.set(name, std::move(declaration));
    }
    return object;
}

Definition read_whole(Reading& reading, const Place& root) {
    const Fields fields(reading.findings, root, kDefinitionShape);
    Definition definition;
    const auto directory = read_text(reading.findings, fields.get("directory"));
    if (directory && !directory->starts_with('/'))
        reading.findings.add(*fields.get("directory"), in_quotes(*directory) + " is no absolute path");
    definition.directory = reading.directory = directory.value_or("/");
    definition.params = read_params(reading, fields.get("params"), {});
    definition.secrets = read_secrets(reading, fields.get("secrets"));
    definition.max_pair_attempts =
        read_whole_number(reading.findings, fields.get("maxPairAttempts"), 1, keys::kMostPairAttempts).value_or(1);
    definition.park_after = read_duration(reading.findings, fields.get("parkAfter")).value_or(definition.park_after);
    if (const auto step = fields.get("step")) definition.step = read_step(reading, *step, 0);
    return definition;
}

Definition read_version_1(Reading& reading, const Place& root) {
    Definition definition;
    definition.params = Json::object();
    definition.directory = reading.directory;
    definition.step = read_step(reading, root, 0);
    return definition;
}

std::unexpected<Error> damaged(const std::string& what) {
    return fail(Failure::journal, "a step's definition in the journal cannot be read: " + what);
}

std::string all(const std::vector<Finding>& findings) {
    std::string text;
    for (const Finding& finding : findings) text += (text.empty() ? "" : "; ") + finding.pointer + ": " + finding.what;
    return text;
}

}  // namespace

std::string definition_text(const Json& step, const JobSpec& job, const std::string& directory) {
    Json definition = Json::object();
    definition.set("step", step);
    definition.set("params", job.params);
    definition.set("secrets", declarations(job.secrets));
    definition.set("directory", Json::of_string(directory));
    definition.set("maxPairAttempts", Json::of_number(job.max_pair_attempts));
    definition.set("parkAfter", Json::of_string(format_duration(job.park_after)));
    return to_text(definition);
}

Result<Definition> parse_definition(const std::string& text, const std::string& directory) {
    const auto json = parse_json(text);
    if (!json) return damaged("not JSON: " + json.error().what);
    Reading reading{.findings = Findings(text), .directory = directory};
    const Place root{&*json, ""};
    const Json* step = json->find("step");
    const bool version_1 = step != nullptr && step->is_string();
    Definition definition = version_1 ? read_version_1(reading, root) : read_whole(reading, root);
    if (reading.findings.count() != 0) return damaged(all(reading.findings.sorted()));
    definition.step.definition = text;
    return definition;
}

}  // namespace lockstep
