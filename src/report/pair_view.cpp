#include "report/pair_view.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"
#include "journal/decide.hpp"
#include "step/request.hpp"

namespace lockstep {

namespace {

constexpr std::size_t kLongestLine = 600;

std::string count(int number, const std::string& one, const std::string& many) {
    return std::to_string(number) + " " + (number == 1 ? one : many);
}

std::string what_it_is(const Pair& pair) {
    const std::string phase = phase_in_hand(pair);
    if (pair.state == PairState::parked) return phase.empty() ? "parked" : "parked in its " + phase + " phase";
    if (pair.owes_steps && !is_open(pair.state))
        return std::string(to_string(pair.state)) + ", but its item is to be gone on with";
    return std::string(to_string(pair.state));
}

std::string stated(const std::vector<std::string>& outputs) {
    std::string text;
    for (const std::string& name : outputs) text += " --output " + name + "=…";
    return text;
}

std::string state_directory_option(const PairOwner& owner) {
    return owner.state_directory.empty() ? "" : " --state-dir " + shell_quoted_line(owner.state_directory);
}

bool is_defined_anew(const Pair& pair, std::span<const StepSpec> steps) {
    const auto now = std::ranges::find(steps, pair.step, &StepSpec::name);
    return now != steps.end() && now->definition != pair.definition;
}

std::string settling_commands(const Pair& pair, const PairOwner& owner) {
    const bool looks_like_an_option = pair.item_key.starts_with('-');
    const std::string key = shell_quoted_line(pair.item_key);
    std::string text = "lockstep resolve " + shell_quoted(owner.job);
    if (!looks_like_an_option) text += " " + key;
    text += state_directory_option(owner) + " --step " + pair.step;
    bool first = true;
    for (const DecisionVerb verb : possible_decisions(pair)) {
        text += (first ? " --" : " | --") + std::string(to_string(verb));
        if (verb == DecisionVerb::applied) text += stated(outputs_to_state(pair));
        first = false;
    }
    if (looks_like_an_option) text += " -- " + key;
    return text;
}

}  // namespace

std::string phase_in_hand(const Pair& pair) {
    if (pair.state == PairState::parked) return parked_phase(pair);
    const auto phase = phase_of(pair.state);
    return phase ? std::string(to_string(*phase)) : "";
}

std::string redacted_request(const Pair& pair) {
    if (pair.request.empty()) return "";
    auto json = parse_json(pair.request);
    return json ? describe_request({std::move(*json)}) : "(cannot be read)";
}

std::string settle_all_alike(const PairOwner& owner) {
    return "lockstep resolve " + shell_quoted(owner.job) + " --all-parked [--phase second]" + state_directory_option(owner) +
           " --not-applied | --again | --compensate";
}

std::string pair_text(const Pair& pair, const PairOwner& owner, std::int64_t now_ms, const Decision* decided) {
    std::string text = "    " + printable(pair.item_key) + ", " + pair.step + ": " + what_it_is(pair) + " for " +
                       describe_duration(Millis{now_ms - pair.changed_ms}) + ", " + count(pair.attempt, "attempt", "attempts") +
                       " in " + count(pair.pair_attempts, "pass", "passes") + "\n";
    if (const std::string request = redacted_request(pair); !request.empty())
        text += "      request:     " + printable(request, kLongestLine) + "\n";
    if (!pair.reason.empty()) text += "      last answer: " + printable(pair.reason, kLongestLine) + "\n";
    if (pair.not_before_ms > now_ms) text += "      tried again: not before " + format_local(pair.not_before_ms) + "\n";
    if (decided != nullptr) {
        text += "      decided:     " + std::string(to_string(decided->verb)) + " by " + printable(decided->by) +
                ", applied at the next pass\n";
        return text;
    }
    const bool defined_anew = is_defined_anew(pair, owner.steps) && !possible_decisions(pair).empty();
    // One in hand at this moment is in doubt, too, and has no reason to be yet.
    const bool left_in_doubt = is_in_doubt(pair.state) && !pair.reason.empty();
    if (pair.state != PairState::parked && !left_in_doubt && !(defined_anew && is_open(pair.state))) return text;
    text += "      settle it:   " + settling_commands(pair, owner) + "\n";
    if (defined_anew)
        text +=
            "                   the job file has changed since: with its path in place of the name, --redefine goes on as it "
            "says now\n";
    return text;
}

Json pair_json(const Pair& pair, std::int64_t now_ms) {
    Json json = Json::object();
    json.set("item", Json::of_string(pair.item_key));
    json.set("step", Json::of_string(pair.step));
    json.set("state", Json::of_string(std::string(to_string(pair.state))));
    json.set("parkedFrom",
             pair.state == PairState::parked ? Json::of_string(std::string(to_string(pair.parked_from))) : Json());
    json.set("phase", Json::of_string(phase_in_hand(pair)));
    json.set("request", Json::of_string(redacted_request(pair)));
    json.set("lastAnswer", Json::of_string(pair.reason));
    json.set("attempts", Json::of_number(pair.attempt));
    json.set("passes", Json::of_number(pair.pair_attempts));
    json.set("generation", Json::of_number(pair.generation));
    json.set("begun", Json::of_time(pair.begun_ms));
    json.set("changed", Json::of_time(pair.changed_ms));
    json.set("ageMs", Json::of_number(std::max<std::int64_t>(0, now_ms - pair.changed_ms)));
    json.set("notBefore", Json::of_time(pair.not_before_ms));
    json.set("run", Json::of_string(pair.run_id));
    std::vector<std::string> possible;
    for (const DecisionVerb verb : possible_decisions(pair)) possible.emplace_back(to_string(verb));
    json.set("possible", Json::of_strings(possible));
    json.set("outputsToState", Json::of_strings(outputs_to_state(pair)));
    return json;
}

}  // namespace lockstep
