// What `lockstep check` prints of a job that is right.

#include <algorithm>

#include "base/text.hpp"
#include "job/job_file.hpp"

namespace lockstep {

namespace {

constexpr Millis kMargin{5000};
constexpr std::size_t kWidestAction = 48;

std::string shown(const Template& text) { return printable(text.source, kWidestAction); }

std::string action_text(const ActionSpec& action) {
    if (const auto* http = std::get_if<HttpSpec>(&action)) return http->method + " " + shown(http->url);
    std::string line;
    for (const Template& argument : std::get<CommandSpec>(action).argv) {
        line += (line.empty() ? "" : " ") + shell_quoted(argument.source);
    }
    return printable(line, kWidestAction);
}

/// Why a second time does no harm, or that it might.
std::string twice_text(const PhaseSpec& phase) {
    if (phase.idempotency) {
        const std::string where = phase.http() != nullptr ? phase.idempotency->header : "LOCKSTEP_IDEMPOTENCY_KEY";
        const std::string how_long =
            phase.idempotency->retention ? " for " + format_duration(*phase.idempotency->retention) : "";
        return "key " + printable(where, 40) + how_long;
    }
    if (phase.idempotent) return "harmless, says the job";
    if (phase.can_resend()) return "harmless: " + phase.http()->method;
    return "never sent twice";
}

std::string in_doubt_text(const PhaseSpec& phase) {
    std::string out;
    for (const InDoubtPolicy policy : phase.in_doubt) out += (out.empty() ? "" : ", ") + std::string(to_string(policy));
    return out;
}

std::string items_text(const JobSpec& job) {
    if (!job.items) {
        return job.key ? "one a pass, key " + shown(*job.key) : "one a pass, each a new one";
    }
    std::string source;
    if (const auto* ndjson = std::get_if<ItemsSpec::Ndjson>(&job.items->source)) {
        source = job.items->from_stdin() ? "NDJSON from stdin" : "NDJSON " + printable(ndjson->path);
    } else if (const auto* csv = std::get_if<ItemsSpec::Csv>(&job.items->source)) {
        source = "CSV " + printable(csv->path);
    } else if (const auto* command = std::get_if<ItemsSpec::Command>(&job.items->source)) {
        source = "from " + action_text(command->command) + ", at most " + format_duration(command->timeout);
    } else {
        const auto& http = std::get<ItemsSpec::Http>(job.items->source);
        source =
            action_text(http.request) + ", " + http.select.source + ", at most " + format_duration(http.timeout) + " a page";
    }
    return source + ", key " + shown(job.items->key);
}

/// "onFailure: POST https://…; heartbeat: GET https://…", or "".
std::string notices_text(const JobSpec& job) {
    std::string text;
    const auto add = [&](const char* when, const std::optional<NoticeSpec>& notice) {
        if (notice) text += (text.empty() ? "" : "; ") + std::string(when) + ": " + action_text(notice->action);
    };
    add("onFailure", job.on_failure);
    add("onParked", job.on_parked);
    add("onRecovered", job.on_recovered);
    add("heartbeat", job.heartbeat);
    return text;
}

using Row = std::vector<std::string>;

Row phase_row(const StepSpec& step, PhaseName name) {
    const PhaseSpec& phase = *step.phase(name);
    return {name == PhaseName::first ? step.name : "",
            std::string(to_string(name)),
            action_text(phase.action),
            format_duration(phase.timeout),
            format_duration(phase.deadline),
            std::to_string(phase.retry.max_attempts),
            twice_text(phase),
            in_doubt_text(phase)};
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string table(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths(rows.front().size());
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string out;
    for (const Row& row : rows) {
        std::string line = " ";
        for (std::size_t i = 0; i < row.size(); ++i) line += " " + row[i] + std::string(widths[i] - width(row[i]) + 1, ' ');
        out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
}

std::vector<Row> step_rows(const JobSpec& job) {
    std::vector<Row> rows = {{"step", "phase", "what", "timeout", "deadline", "attempts", "a second time", "in doubt"}};
    for (const StepSpec& step : job.steps) {
        for (const PhaseName name : {PhaseName::first, PhaseName::second, PhaseName::compensate}) {
            if (step.phase(name) != nullptr) rows.push_back(phase_row(step, name));
        }
    }
    return rows;
}

long long whole_seconds(Millis duration) { return std::chrono::ceil<std::chrono::seconds>(duration).count(); }

std::string grace_text(const JobSpec& job) {
    return format_duration(job.stop.grace) +
           (job.stop.at_deadline == AtDeadline::cut ? ", then the pair is cut" : ", and what has begun is finished even then");
}

std::string patience_text(const JobSpec& job) {
    const std::string seconds = std::to_string(whole_seconds(supervisor_patience(job)));
    return "must wait " + seconds + "s after TERM: supervisord stopwaitsecs=" + seconds +
           ", systemd TimeoutStopSec=" + seconds + "s";
}

Json phase_json(const StepSpec& step, PhaseName name) {
    const PhaseSpec& phase = *step.phase(name);
    Json json = Json::object();
    json.set("phase", Json::of_string(std::string(to_string(name))));
    json.set("kind", Json::of_string(phase.http() != nullptr ? "http" : "command"));
    json.set("what", Json::of_string(action_text(phase.action)));
    json.set("timeoutMs", Json::of_number(phase.timeout.count()));
    json.set("deadlineMs", Json::of_number(phase.deadline.count()));
    json.set("maxAttempts", Json::of_number(phase.retry.max_attempts));
    json.set("canResend", Json::of_boolean(phase.can_resend()));
    json.set("aSecondTime", Json::of_string(twice_text(phase)));
    Json& policies = json.set("inDoubt", Json::array());
    for (const InDoubtPolicy policy : phase.in_doubt) policies.push(Json::of_string(std::string(to_string(policy))));
    return json;
}

}  // namespace

Millis supervisor_patience(const JobSpec& job) { return job.longest_pair() + kMargin; }

std::string describe_plan(const JobSpec& job) {
    std::vector<Row> head = {{"lock", job.lock}, {"items", items_text(job)}};
    if (job.every) head.push_back({"every", format_duration(*job.every) + " (lockstep loop)"});
    if (job.expect_every) head.push_back({"expected", "a success every " + format_duration(*job.expect_every)});
    head.push_back(
        {"in flight", std::to_string(job.max_concurrency) + (job.section == Section::item ? ", a stop divides no item" : "")});
    if (job.tolerated_failure_count)
        head.push_back(
            {"failures", "a pass ends when more than " + std::to_string(*job.tolerated_failure_count) + " items fail"});
    if (const std::string notices = notices_text(job); !notices.empty()) head.push_back({"tells", notices});
    const std::vector<Row> foot = {{"longest pair", format_duration(job.longest_pair())},
                                   {"stop.grace", grace_text(job)},
                                   {"supervisor", patience_text(job)}};
    return job.name + ": " + printable(job.file) + " is right\n" + table(head) + "\n" + table(step_rows(job)) + "\n" +
           table(foot);
}

Json plan_as_json(const JobSpec& job) {
    Json plan = Json::object();
    plan.set("job", Json::of_string(job.name));
    plan.set("file", Json::of_string(job.file));
    plan.set("lock", Json::of_string(job.lock));
    plan.set("items", Json::of_string(items_text(job)));
    if (job.every) plan.set("everyMs", Json::of_number(job.every->count()));
    if (job.expect_every) plan.set("expectEveryMs", Json::of_number(job.expect_every->count()));
    plan.set("maxConcurrency", Json::of_number(job.max_concurrency));
    plan.set("longestPairMs", Json::of_number(job.longest_pair().count()));
    plan.set("graceMs", Json::of_number(job.stop.grace.count()));
    plan.set("atDeadline", Json::of_string(job.stop.at_deadline == AtDeadline::cut ? "cut" : "finish"));
    plan.set("supervisorPatienceSeconds", Json::of_number(whole_seconds(supervisor_patience(job))));
    Json& steps = plan.set("steps", Json::array());
    for (const StepSpec& step : job.steps) {
        Json& each = steps.push(Json::object());
        each.set("step", Json::of_string(step.name));
        each.set("longestPairMs", Json::of_number(step.longest_pair().count()));
        Json& phases = each.set("phases", Json::array());
        for (const PhaseName name : {PhaseName::first, PhaseName::second, PhaseName::compensate}) {
            if (step.phase(name) != nullptr) phases.push(phase_json(step, name));
        }
    }
    return plan;
}

}  // namespace lockstep
