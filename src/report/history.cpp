#include "report/history.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"

namespace lockstep {

namespace {

std::string counted(const PassTotals& totals) {
    std::string text = "done " + std::to_string(totals.done) + ", failed " + std::to_string(totals.failed) + ", parked " +
                       std::to_string(totals.parked) + ", left " + std::to_string(totals.left);
    if (totals.recovered > 0) text += ", recovered " + std::to_string(totals.recovered);
    if (totals.open > 0) text += ", open " + std::to_string(totals.open);
    if (totals.skipped > 0) text += ", skipped " + std::to_string(totals.skipped);
    return text;
}

/// No pass has applied it yet.
bool waits(const DecisionLine& line) { return line.applied_ms == 0; }

}  // namespace

std::int64_t duration_ms(const PassLine& line) { return std::max<std::int64_t>(0, line.ended_ms - line.totals.begun_ms); }

Result<History> job_history(const SqliteJournalOptions& options, std::int64_t limit) {
    History history{.job = options.job, .passes = {}, .unended = {}, .decisions = {}};
    auto reader = JournalReader::open(options);
    if (!reader) return std::unexpected(reader.error());
    if (!*reader) {
        return fail(Failure::journal, options.job + " has no journal at " +
                                          sqlite_journal_path(options).value_or("that place") + ": " + never_ran(options));
    }
    auto passes = (*reader)->passes(limit);
    if (!passes) return std::unexpected(passes.error());
    history.passes = std::move(*passes);
    auto unended = (*reader)->unended_passes(limit);
    if (!unended) return std::unexpected(unended.error());
    history.unended = std::move(*unended);
    auto decisions = (*reader)->decisions(limit);
    if (!decisions) return std::unexpected(decisions.error());
    history.decisions = std::move(*decisions);
    return history;
}

std::string history_text(const History& history) {
    std::string text = history.passes.empty() ? history.job + ": no pass has ended yet\n" : "";
    for (const PassLine& line : history.passes) text += pass_text(line) + "\n";
    if (!history.unended.empty()) text += "passes that have not ended (at work, or killed):\n";
    for (const UnendedPass& one : history.unended)
        text += "  " + format_local(one.begun_ms) + ", run " + one.run_id + " pass " + std::to_string(one.pass) + ": " +
                one.command + " on " + printable(one.host) + "\n";
    if (!history.decisions.empty()) text += "decisions:\n";
    for (const DecisionLine& line : history.decisions) text += "  " + decision_text(line) + "\n";
    return text;
}

Json history_json(const History& history) {
    Json json = Json::object();
    json.set("job", Json::of_string(history.job));
    Json& passes = json.set("passes", Json::array());
    for (const PassLine& line : history.passes) passes.push(pass_json(line));
    Json& unended = json.set("unended", Json::array());
    for (const UnendedPass& pass : history.unended) {
        Json& one = unended.push(Json::object());
        one.set("run", Json::of_string(pass.run_id));
        one.set("command", Json::of_string(pass.command));
        one.set("host", Json::of_string(pass.host));
        one.set("started", Json::of_time(pass.started_ms));
        one.set("pass", Json::of_number(pass.pass));
        one.set("begun", Json::of_time(pass.begun_ms));
    }
    Json& decisions = json.set("decisions", Json::array());
    for (const DecisionLine& line : history.decisions) decisions.push(decision_json(line));
    return json;
}

std::string pass_text(const PassLine& line) {
    return format_local(line.totals.begun_ms) + ", run " + line.run_id + " pass " + std::to_string(line.pass) + ": " +
           counted(line.totals) + " in " + describe_duration(Millis{duration_ms(line)}) + ": " +
           printable(line.ended_because, 600);
}

Json pass_json(const PassLine& line) {
    Json json = Json::object();
    json.set("run", Json::of_string(line.run_id));
    json.set("command", Json::of_string(line.command));
    json.set("host", Json::of_string(line.host));
    json.set("pass", Json::of_number(line.pass));
    json.set("begun", Json::of_time(line.totals.begun_ms));
    json.set("ended", Json::of_time(line.ended_ms));
    json.set("durationMs", Json::of_number(duration_ms(line)));
    const PassTotals& totals = line.totals;
    for (const auto& [name, number] :
         {std::pair{"done", totals.done}, std::pair{"failed", totals.failed}, std::pair{"parked", totals.parked},
          std::pair{"recovered", totals.recovered}, std::pair{"left", totals.left}, std::pair{"skipped", totals.skipped},
          std::pair{"open", totals.open}})
        json.set(name, Json::of_number(number));
    json.set("endedBecause", Json::of_string(line.ended_because));
    return json;
}

std::string decision_text(const DecisionLine& line) {
    const Decision& decision = line.decision;
    std::string text = format_local(decision.decided_ms) + ", " + printable(decision.by) + ": " + printable(decision.item_key) +
                       ", " + decision.step + ": " + std::string(to_string(decision.verb));
    if (!decision.definition.empty()) text += " (redefined)";
    if (decision.outputs != "{}" && !decision.outputs.empty()) text += " " + printable(decision.outputs);
    return text + ": " + (waits(line) ? "waits for the next pass" : printable(line.outcome, 600));
}

Json decision_json(const DecisionLine& line) {
    const Decision& decision = line.decision;
    Json json = Json::object();
    json.set("item", Json::of_string(decision.item_key));
    json.set("step", Json::of_string(decision.step));
    json.set("decision", Json::of_string(std::string(to_string(decision.verb))));
    json.set("outputs", parse_json(decision.outputs.empty() ? "{}" : decision.outputs).value_or(Json::object()));
    json.set("redefined", Json::of_boolean(!decision.definition.empty()));
    json.set("by", Json::of_string(decision.by));
    json.set("decided", Json::of_time(decision.decided_ms));
    json.set("applied", Json::of_time(line.applied_ms));
    json.set("outcome", waits(line) ? Json() : Json::of_string(line.outcome));
    return json;
}

}  // namespace lockstep
