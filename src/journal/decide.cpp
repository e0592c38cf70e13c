#include "journal/decide.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "job/definition.hpp"

namespace lockstep {

namespace {

using enum PairState;

/// What a pair was parked in, as far as decisions differ.
enum class Stage : std::uint8_t {
    first,
    second,
    compensate,
    in_doubt,  ///< not parked: open, and nobody knows whether the phase that it is in took effect
    owed,      ///< not parked: open, and its next phase certainly has had no effect
    ended,     ///< not parked: closed
    none,
};

/// Version 1 of the journal did not say what a pair was parked in; the outputs of its first phase show that this was over.
bool is_from_version_1(const Pair& pair) {
    if (pair.state != parked || pair.parked_from != pending || pair.outputs.empty()) return false;
    const auto outputs = parse_json(pair.outputs);
    return outputs && outputs->find(to_string(PhaseName::first)) != nullptr;
}

Stage stage_of(const Pair& pair) {
    if (is_from_version_1(pair)) return Stage::second;
    const PairState state = pair.state == parked ? pair.parked_from : pair.state;
    switch (state) {
        case first_begun: return pair.state == parked ? Stage::first : Stage::in_doubt;
        case second_begun: return pair.state == parked ? Stage::second : Stage::in_doubt;
        case compensate_begun: return pair.state == parked ? Stage::compensate : Stage::in_doubt;
        case pending:
        case first_not_applied: return pair.state == parked ? Stage::first : Stage::none;
        case first_refused: return pair.state == parked ? Stage::first : Stage::ended;
        case first_done:
        case second_not_applied: return pair.state == parked ? Stage::second : Stage::owed;
        case second_refused: return pair.state == parked ? Stage::second : Stage::none;
        case compensate_not_applied: return pair.state == parked ? Stage::compensate : Stage::owed;
        case compensate_refused: return pair.state == parked ? Stage::compensate : Stage::none;
        case done:
        case compensated: return Stage::ended;
        case parked: return Stage::none;
    }
    return Stage::none;
}

std::optional<PhaseName> phase_of(Stage stage) {
    switch (stage) {
        case Stage::first: return PhaseName::first;
        case Stage::second: return PhaseName::second;
        case Stage::compensate: return PhaseName::compensate;
        default: return std::nullopt;
    }
}

/// What `applied` is about.
std::optional<PhaseName> phase_in_question(const Pair& pair) {
    const Stage stage = stage_of(pair);
    return stage == Stage::in_doubt ? phase_of(pair.state) : phase_of(stage);
}

std::string option(DecisionVerb verb) { return "--" + std::string(to_string(verb)); }

std::string name_of(const Pair& pair) { return printable(pair.item_key) + ", step " + pair.step; }

std::unexpected<Error> wrong(const Pair& pair, const std::string& what) {
    return fail(Failure::usage, name_of(pair) + ": " + what);
}

std::unexpected<Error> not_possible(const Pair& pair, DecisionVerb verb) {
    const auto possible = possible_decisions(pair);
    if (possible.empty()) {
        return wrong(pair,
                     "it is " + std::string(to_string(pair.state)) +
                         " and waits for nobody; to be decided are only a parked pair, an open one whose phase is in doubt or "
                         "certainly had no effect, and with --again one that has ended");
    }
    std::string text = "it ";
    const std::string phase = parked_phase(pair);
    if (!phase.empty()) {
        text += "was parked in its " + phase + " phase";
    } else {
        text += "is " + std::string(to_string(pair.state));
        if (pair.state == parked) text += " after it had been " + std::string(to_string(pair.parked_from));
    }
    text += ", where " + option(verb) + " is not possible; possible:";
    for (const DecisionVerb other : possible) text += " " + option(other);
    if (is_in_doubt(pair.state)) text += " (and the others behind --park)";
    return wrong(pair, text);
}

/// The outputs that a person stated: all that the phase declares, and nothing else.
Result<Json> stated_outputs(const Pair& pair, const Decision& decision, const PhaseSpec& phase) {
    const auto outputs = parse_json(decision.outputs.empty() ? "{}" : decision.outputs);
    if (!outputs || !outputs->is_object()) return wrong(pair, "the outputs are no JSON object: " + decision.outputs);
    std::vector<std::string> missing;
    for (const NamedTemplate& declared : phase.outputs) {
        const Json* stated = outputs->find(declared.name);
        if (stated == nullptr || stated->is_null()) missing.push_back(declared.name);  // as in an answer, null is none
    }
    if (!missing.empty()) {
        return wrong(pair, "what comes after it needs the phase's outputs; missing: " + joined(missing) +
                               " (give each as --output NAME=VALUE)");
    }
    for (const JsonMember& member : outputs->members) {
        if (std::ranges::find(phase.outputs, member.key, &NamedTemplate::name) == phase.outputs.end())
            return wrong(pair, "its phase has no output \"" + member.key + "\"");
    }
    return *outputs;
}

Result<Definition> definition_of(const Pair& pair) {
    auto definition = parse_definition(pair.definition);
    if (!definition) definition.error().text = name_of(pair) + ": " + definition.error().text;
    return definition;
}

Result<Pair> applied(Pair pair, const Decision& decision, PhaseName name) {
    const auto definition = definition_of(pair);
    if (!definition) return std::unexpected(definition.error());
    const PhaseSpec* phase = definition->step.phase(name);
    if (phase == nullptr) return wrong(pair, "its definition has no such phase");
    const auto outputs = stated_outputs(pair, decision, *phase);
    if (!outputs) return std::unexpected(outputs.error());
    if (name == PhaseName::compensate) {
        pair.state = compensated;
        return pair;
    }
    Json all = parse_json(pair.outputs.empty() ? "{}" : pair.outputs).value_or(Json::object());
    all.set(to_string(name), *outputs);
    pair.outputs = to_text(all);
    pair.state = name == PhaseName::first && definition->step.second ? first_done : done;
    return pair;
}

Result<Pair> again(Pair pair, Stage stage) {
    ++pair.generation;
    if (stage == Stage::owed) return pair;
    if (stage == Stage::second || stage == Stage::compensate) {
        pair.state = stage == Stage::second ? second_not_applied : compensate_not_applied;
        return pair;
    }
    pair.state = pending;
    pair.outputs.clear();
    return pair;
}

Result<Pair> new_state(const Pair& pair, const Decision& decision, Stage stage) {
    Pair next = pair;
    switch (decision.verb) {
        case DecisionVerb::applied: return applied(std::move(next), decision, *phase_in_question(pair));
        case DecisionVerb::not_applied:
            if (stage == Stage::owed) return next;
            next.state = stage == Stage::first    ? first_not_applied
                         : stage == Stage::second ? second_not_applied
                                                  : compensate_not_applied;
            return next;
        case DecisionVerb::compensate: next.state = compensate_not_applied; return next;
        case DecisionVerb::again: return again(std::move(next), stage);
        case DecisionVerb::park:
            next.parked_from = pair.state;
            next.state = parked;
            return next;
    }
    return next;
}

/// What is owed must be there.
Result<void> check_new_definition(const Pair& pair, Stage stage) {
    const auto definition = definition_of(pair);
    if (!definition) return std::unexpected(definition.error());
    auto phase = phase_in_question(pair);
    if (stage == Stage::owed) phase = pair.state == compensate_not_applied ? PhaseName::compensate : PhaseName::second;
    if (!phase || definition->step.phase(*phase) != nullptr) return {};
    return wrong(pair,
                 "it is in its " + std::string(to_string(*phase)) + " phase, and the job file declares none for it any more");
}

/// What was certainly without effect, or parked, may be done or in doubt by now: a run may have come between.
bool has_gone_on(const Pair& pair, const Decision& decision) {
    if (decision.seen.empty()) return pair.changed_ms > decision.decided_ms;  // of a journal before version 8
    return decision.seen != stand_of(pair);
}

bool declares_compensate(const Pair& pair) {
    const auto definition = parse_definition(pair.definition);
    return definition && definition->step.compensate.has_value();
}

}  // namespace

std::vector<DecisionVerb> possible_decisions(const Pair& pair) {
    using enum DecisionVerb;
    switch (stage_of(pair)) {
        case Stage::first:
        case Stage::compensate: return {applied, not_applied, again};
        case Stage::second:
            if (declares_compensate(pair)) return {applied, not_applied, compensate, again};
            return {applied, not_applied, again};
        case Stage::in_doubt: return {applied, park};
        case Stage::owed: return {not_applied, again};
        case Stage::ended: return {again};
        case Stage::none: return {};
    }
    return {};
}

bool is_possible(const Pair& pair, DecisionVerb verb) {
    const auto possible = possible_decisions(pair);
    return std::ranges::find(possible, verb) != possible.end();
}

std::string parked_phase(const Pair& pair) {
    const auto phase = pair.state == parked ? phase_of(stage_of(pair)) : std::nullopt;
    return phase ? std::string(to_string(*phase)) : "";
}

std::vector<std::string> outputs_to_state(const Pair& pair) {
    const auto name = phase_in_question(pair);
    const auto definition = parse_definition(pair.definition);
    const PhaseSpec* phase = name && definition ? definition->step.phase(*name) : nullptr;
    std::vector<std::string> names;
    if (phase == nullptr) return names;
    for (const NamedTemplate& output : phase->outputs) names.push_back(output.name);
    return names;
}

std::string stand_of(const Pair& pair) {
    // What is in hand has no answer yet: what a person knows of it then may not be so when it has.
    return fmt::format("{} {}.{} {}{}", to_string(pair.state), pair.generation, pair.attempt, pair.changed_ms,
                       is_in_doubt(pair.state) && pair.reason.empty() ? " unanswered" : "");
}

Result<Pair> decide(const Pair& found, const Decision& decision) {
    if (has_gone_on(found, decision)) {
        return wrong(found, "it has gone on since that was decided, and is " + std::string(to_string(found.state)) +
                                " now; look at it again");
    }
    const bool redefined = !decision.definition.empty();
    Pair pair = found;
    if (redefined) pair.definition = decision.definition;
    const Stage stage = stage_of(pair);
    if (decision.verb == DecisionVerb::compensate && stage == Stage::second && !is_possible(pair, decision.verb)) {
        return wrong(pair, std::string("no compensate is declared in ") +
                               (redefined ? "the job file" : "the definition that it began with") +
                               "; possible: --applied --not-applied --again");
    }
    if (!is_possible(pair, decision.verb)) return not_possible(pair, decision.verb);
    if (redefined) {
        if (auto sound = check_new_definition(pair, stage); !sound) return std::unexpected(std::move(sound.error()));
    }
    auto next = new_state(pair, decision, stage);
    if (!next) return next;
    next->changed_ms = decision.decided_ms;
    if (decision.verb == DecisionVerb::park) {
        next->reason = "parked by " + decision.by + (found.reason.empty() ? "" : "; before that: " + found.reason);
        return next;
    }
    next->parked_from = pending;
    next->pair_attempts = 0;
    next->attempt = 0;
    if (next->state != pending) next->phase_begun_ms = 0;  // else it still tells whether anything was ever sent
    next->not_before_ms = 0;
    next->request.clear();  // whatever is tried next is rendered anew
    // Somebody asked for it, so it is gone through although its source may list the item no longer.
    next->owes_steps = next->state == done || next->state == pending || (next->state == first_not_applied && pair.owes_steps);
    next->reason = "decided by " + decision.by + ": " +
                   (decision.verb == DecisionVerb::not_applied ? "not applied" : std::string(to_string(decision.verb)));
    return next;
}

}  // namespace lockstep
