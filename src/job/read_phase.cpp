// One phase: its action, how long, how often, and what its answer means.

#include <algorithm>

#include "base/text.hpp"
#include "job/read.hpp"

namespace lockstep {

namespace {

constexpr int kMostAttempts = 100;
constexpr double kSteepestBackoff = 100;

RetrySpec read_retry(Reading& reading, const std::optional<Place>& at, bool is_command) {
    RetrySpec retry;
    if (is_command) retry.max_attempts = 1;
    if (!at) return retry;
    const Fields fields(reading.findings, *at, shapes::kRetry);
    const std::size_t before = reading.findings.count();
    retry.max_attempts =
        read_whole_number(reading.findings, fields.get("maxAttempts"), 1, kMostAttempts).value_or(retry.max_attempts);
    retry.initial_interval = read_duration(reading.findings, fields.get("initialInterval")).value_or(retry.initial_interval);
    retry.backoff_rate =
        read_decimal(reading.findings, fields.get("backoffRate"), 1, kSteepestBackoff).value_or(retry.backoff_rate);
    const auto longest = read_duration(reading.findings, fields.get("maxInterval"));
    if (longest && *longest < retry.initial_interval) {
        reading.findings.add(*fields.get("maxInterval"), "maxInterval " + format_duration(*longest) +
                                                             " is shorter than initialInterval " +
                                                             format_duration(retry.initial_interval));
    }
    retry.max_interval = longest.value_or(std::max(retry.max_interval, retry.initial_interval));
    if (const auto jitter = read_word(reading.findings, fields.get("jitter"), shapes::kJitter)) {
        retry.full_jitter = keys::kJitterWords[*jitter] == "full";
    }
    if (reading.findings.count() != before) reading.budget_known = false;
    return retry;
}

std::optional<IdempotencySpec> read_idempotency_key(Reading& reading, const std::optional<Place>& at,
                                                    const ActionSpec& action) {
    if (!at) return std::nullopt;
    const Fields fields(reading.findings, *at, shapes::kIdempotencyKey);
    IdempotencySpec key;
    const auto* http = std::get_if<HttpSpec>(&action);
    if (const auto header = read_text(reading.findings, fields.get("header"))) {
        if (http == nullptr) {
            reading.findings.add(*fields.get("header"), "a command has no headers",
                                 "leave it out: the command finds the key in LOCKSTEP_IDEMPOTENCY_KEY");
        } else if (!is_name(*header)) {
            reading.findings.add(*fields.get("header"), in_quotes(*header) + " is not the name of a header",
                                 "usual is \"Idempotency-Key\"");
        }
        key.header = *header;
    }
    key.retention = read_duration(reading.findings, fields.get("retention"));
    const auto same = [&](const NamedTemplate& header) { return equal_ignoring_case(header.name, key.header); };
    if (http != nullptr && std::ranges::any_of(http->headers, same)) {
        reading.findings.add(*at, "the header " + in_quotes(key.header) + " is given by hand, too",
                             "leave it out of \"headers\"");
    }
    return key;
}

std::vector<int> read_statuses(Reading& reading, const std::optional<Place>& at, bool is_command) {
    std::vector<int> statuses;
    if (!at) return statuses;
    if (!is_command) {
        reading.findings.add(*at, "only a command has an exit status",
                             "for http write a condition: \"refused\": \"$statusCode == 402\"");
        return statuses;
    }
    if (!expect_type(reading.findings, *at, Json::Type::array)) return statuses;
    for (std::size_t i = 0; i < at->json->elements.size(); ++i) {
        const Place place = at->element(i);
        if (place.json->is_number() && place.json->text == "0") {
            reading.findings.add(place, "exit status 0 means done", "leave it out");
        } else if (const auto status = read_whole_number(reading.findings, place, 1, 255)) {
            if (std::ranges::find(statuses, *status) != statuses.end())
                reading.findings.add(place, std::to_string(*status) + " stands here twice");
            statuses.push_back(*status);
        }
    }
    return statuses;
}

void read_exit_statuses(Reading& reading, const Fields& fields, PhaseSpec& phase) {
    const bool is_command = phase.command() != nullptr;
    phase.refused_status = read_statuses(reading, fields.get("refusedStatus"), is_command);
    phase.not_applied_status = read_statuses(reading, fields.get("notAppliedStatus"), is_command);
    for (const int status : phase.not_applied_status) {
        if (std::ranges::find(phase.refused_status, status) == phase.refused_status.end()) continue;
        reading.findings.add(*fields.get("notAppliedStatus"),
                             "exit status " + std::to_string(status) + " stands in refusedStatus, too",
                             "refused: the same request never will take effect; not applied: it may be tried again");
    }
}

/// A command must say how long it may take: nobody can guess that.
Millis read_timeout(Reading& reading, const Fields& fields, bool is_command) {
    constexpr Millis kHttpTimeout{10'000};
    const auto place = fields.get("timeout");
    const auto timeout = read_duration(reading.findings, place);
    if (!place && is_command) {
        reading.findings.add(*fields.get("command"), "a command must state its timeout",
                             "add \"timeout\" beside \"command\": how long it may take at most");
    }
    if (!timeout && (place || is_command)) reading.budget_known = false;
    return timeout.value_or(kHttpTimeout);
}

std::optional<ProbeSpec> read_probe(Reading& reading, const std::optional<Place>& at, const Surroundings& around) {
    if (!at) return std::nullopt;
    const Fields fields(reading.findings, *at, shapes::kProbe);
    if (!fields.is_object()) return std::nullopt;
    const auto read = read_action(reading, fields, shapes::kProbeMethod, around);
    const ReadAction action = read.value_or(ReadAction{});
    const Surroundings answered = around.with_answer(action.action);
    const auto applied = read_condition(reading, fields.get("applied"), answered);
    const auto absent = read_condition(reading, fields.get("absent"), answered);
    ProbeSpec probe{action.action, applied.value_or(Condition::parse("false").value()), absent, {}, Millis{10'000},
                    std::nullopt};
    probe.outputs = read_outputs(reading, outputs_place(reading, fields, action), answered);
    const bool is_command = std::holds_alternative<CommandSpec>(action.action);
    if (read) probe.timeout = read_timeout(reading, fields, is_command);
    probe.settle = read_duration(reading.findings, fields.get("settle"), Millis{0});
    return probe;
}

/// Where the probe finds that the phase was applied, its outputs stand for the phase's own.
void check_probe_outputs(Reading& reading, const Fields& fields, const PhaseSpec& phase) {
    if (!phase.probe) return;
    std::vector<std::string_view> names;
    for (const NamedTemplate& output : phase.outputs) names.push_back(output.name);
    const Place at = *fields.get("probe");
    for (const NamedTemplate& output : phase.outputs) {
        if (std::ranges::find(phase.probe->outputs, output.name, &NamedTemplate::name) != phase.probe->outputs.end()) continue;
        reading.findings.add(at, "the probe does not give the output " + in_quotes(output.name) + " of its phase",
                             "add it to the probe's \"outputs\"");
    }
    for (const NamedTemplate& output : phase.probe->outputs) {
        if (std::ranges::find(names, output.name) != names.end()) continue;
        reading.findings.add(at, "the probe gives an output " + in_quotes(output.name) + " that its phase does not have",
                             suggestion(output.name, names, "leave it out"));
    }
}

/// `"idempotent": false` would promise something that nobody looks at: a key and the method's own nature still count.
bool read_idempotent(Reading& reading, const std::optional<Place>& at) {
    const auto idempotent = read_boolean(reading.findings, at);
    if (idempotent == false) reading.findings.add(*at, "only true has a meaning here", "leave it out");
    return idempotent.value_or(false);
}

std::optional<Place> get_outputs(Reading& reading, const Fields& fields, const ReadAction& action, PhaseName name) {
    if (name != PhaseName::compensate) return outputs_place(reading, fields, action);
    if (action.outputs)
        reading.findings.add(*action.outputs, "a compensation has no outputs: nothing could refer to them", "leave them out");
    return std::nullopt;
}

}  // namespace

PhaseSpec read_phase(Reading& reading, const Fields& fields, const Surroundings& around) {
    PhaseSpec phase;
    if (!fields.is_object()) return phase;
    const auto read = read_action(reading, fields, shapes::kMethod, around);
    if (!read) reading.budget_known = false;
    const ReadAction action = read.value_or(ReadAction{});
    phase.action = action.action;
    const bool is_command = phase.command() != nullptr;
    const Surroundings answered = around.with_answer(phase.action);
    phase.success = read_condition(reading, fields.get("success"), answered);
    phase.refused = read_condition(reading, fields.get("refused"), answered);
    phase.not_applied = read_condition(reading, fields.get("notApplied"), answered);
    if (read) read_exit_statuses(reading, fields, phase);
    phase.outputs = read_outputs(reading, get_outputs(reading, fields, action, around.phase), answered);
    phase.timeout = read_timeout(reading, fields, is_command);
    phase.retry = read_retry(reading, fields.get("retry"), is_command);
    phase.idempotency = read_idempotency_key(reading, fields.get("idempotencyKey"), phase.action);
    phase.idempotent = read_idempotent(reading, fields.get("idempotent"));
    phase.probe = read_probe(reading, fields.get("probe"), around);
    check_probe_outputs(reading, fields, phase);
    read_deadline(reading, fields, phase);
    if (read) read_in_doubt(reading, fields, phase);
    return phase;
}

}  // namespace lockstep
