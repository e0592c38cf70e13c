#include "run/pair_executor.hpp"

#include "base/clock.hpp"
#include "base/text.hpp"
#include "run/back_off.hpp"
#include "run/request_trial.hpp"
#include "step/idempotency_key.hpp"
#include "sys/log.hpp"

namespace lockstep {

namespace {

void say(log::Level level, const Pair& pair, std::string_view phase, std::string_view outcome, const std::string& reason,
         const std::string& sentence) {
    log::write(level, printable(pair.item_key) + ": " + sentence,
               {{"item", pair.item_key}, {"step", pair.step}, {"phase", phase}, {"outcome", outcome}, {"reason", reason}});
}

}  // namespace

void recall_outputs(const Pair& pair, StepOutputs& outputs) {
    const auto all = parse_json(pair.outputs.empty() ? "{}" : pair.outputs);
    if (!all) return;
    for (const PhaseName name : {PhaseName::first, PhaseName::second}) {
        if (const Json* values = all->find(to_string(name))) outputs.by_phase[{pair.step, name}] = *values;
    }
}

Result<PairEnd> PairExecutor::execute(const StepSpec& step, const std::string& item_key, const Json& inputs,
                                      const PairTerms& terms, StepOutputs& outputs) {
    auto pair = load(step, item_key);
    if (!pair) return std::unexpected(pair.error());
    recall_outputs(*pair, outputs);
    if (pair->state == PairState::done) return PairEnd::skipped;
    if (pair->state == PairState::parked) return PairEnd::still_parked;
    if (is_open(pair->state)) return PairEnd::open;
    if (pass_.waits(*pair)) return PairEnd::waits;
    pair->item = to_text(inputs);
    pair->definition = step.definition;
    pair->run_id = pass_.run_id;
    pair->run_date = pass_.run_date;
    const PairTask task{*pair, step, inputs, terms, outputs};
    keys_ = {};
    const Outcome ended = begin(task);
    if (!ended) return std::unexpected(ended.error());
    if (*ended) return **ended;
    // Turned away, it is to be tried again, though its item, half way through, may be listed no longer.
    pair->owes_steps = pair->owes_steps || &step != &pass_.job.steps.front();
    return advance(task);
}

Result<PairEnd> PairExecutor::resume(Pair pair, const StepSpec& step, const Json& inputs, const PairTerms& terms,
                                     StepOutputs& outputs) {
    recall_outputs(pair, outputs);
    if (pair.run_date.empty()) pair.run_date = pass_.run_date;
    ++pair.pair_attempts;
    keys_ = {};
    return advance({pair, step, inputs, terms, outputs});
}

/// A pair of which nothing is half done: new, or tried before without effect.
PairExecutor::Outcome PairExecutor::begin(const PairTask& task) {
    Pair& pair = task.pair;
    if (pair.pair_attempts >= task.terms.max_pair_attempts) {
        return park(task, "tried in " + std::to_string(pair.pair_attempts) + " passes (maxPairAttempts): " + pair.reason);
    }
    ++pair.pair_attempts;
    if (!has_failed(pair.state)) return std::nullopt;
    // The new key must outlive a crash.
    ++pair.generation;
    keys_ = {};
    pair.outputs.clear();
    pair.phase_begun_ms = 0;
    for (const PhaseName name : {PhaseName::first, PhaseName::second}) task.outputs.by_phase.erase({pair.step, name});
    return enter(task, PairState::pending, "");
}

void PairExecutor::remember_outputs(const PairTask& task, PhaseName name, const Json& values) {
    Json all = task.pair.outputs.empty() ? Json::object() : parse_json(task.pair.outputs).value_or(Json::object());
    all.set(to_string(name), values);
    task.pair.outputs = to_text(all);
    task.outputs.by_phase[{task.step.name, name}] = values;
}

Result<Pair> PairExecutor::load(const StepSpec& step, const std::string& item_key) const {
    auto found = pass_.journal.find(item_key, step.name);
    if (!found) return std::unexpected(found.error());
    if (*found) return std::move(**found);
    Pair pair;
    pair.item_key = item_key;
    pair.step = step.name;
    pair.begun_ms = wall_now_ms();
    return pair;
}

/// Each turn of the loop is one state; it ends where nothing more can be done in this pass.
Result<PairEnd> PairExecutor::advance(const PairTask& task) {
    for (;;) {
        Outcome ended;
        switch (task.pair.state) {
            case PairState::pending:
            case PairState::first_begun:
            case PairState::first_not_applied: ended = first(task); break;
            case PairState::first_done:
            case PairState::second_begun:
            case PairState::second_not_applied: ended = second(task); break;
            case PairState::second_refused:
            case PairState::compensate_begun:
            case PairState::compensate_not_applied: ended = compensate(task); break;
            case PairState::compensate_refused: ended = park(task, "compensate refused: " + task.pair.reason); break;
            case PairState::first_refused:
            case PairState::compensated: return PairEnd::failed;
            case PairState::done: return PairEnd::done;
            case PairState::parked: return PairEnd::parked;
        }
        if (!ended) return std::unexpected(ended.error());
        if (*ended) return **ended;
    }
}

PairExecutor::Outcome PairExecutor::first(const PairTask& task) {
    if (task.pair.state != PairState::first_begun) {
        if (const auto made = try_later_requests(task.step, scope_of(task, PhaseName::first)); !made)
            return not_begun(task, made.error().text, may_be_made_later(made.error()));
    }
    const auto result = run_phase(task, PhaseName::first);
    if (!result) return std::unexpected(result.error());
    switch (result->end) {
        case PhaseEnd::done:
            remember_outputs(task, PhaseName::first, result->outputs);
            return enter(task, task.step.second ? PairState::first_done : PairState::done, result->reason);
        case PhaseEnd::refused:
            if (task.pair.state != PairState::first_begun)
                return not_begun(task, "first: " + result->reason, result->may_be_made_later);
            say_refused(task, PhaseName::first, result->reason);
            return enter(task, PairState::first_refused, result->reason);
        default: return remain(task, PhaseName::first, *result);
    }
}

/// A request that cannot be made of this item. It counts as an attempt, so that a poison item comes ever less often and is
/// parked.
PairExecutor::Outcome PairExecutor::not_begun(const PairTask& task, const std::string& reason, bool later) {
    say(log::Level::warning, task.pair, to_string(PhaseName::first), "not begun", reason,
        task.step.name + " was not begun, a request cannot be made of this item: " + reason);
    task.pair.reason = "not begun, a request cannot be made of this item: " + reason;
    task.pair.request.clear();
    task.pair.changed_ms = wall_now_ms();
    // The item as it was journalled has had its turn; what its source lists may be mended.
    if (!later) task.pair.owes_steps = false;
    return try_later(task, PairEnd::failed);
}

PairExecutor::Outcome PairExecutor::second(const PairTask& task) {
    const auto result = run_phase(task, PhaseName::second);
    if (!result) return std::unexpected(result.error());
    switch (result->end) {
        case PhaseEnd::done:
            remember_outputs(task, PhaseName::second, result->outputs);
            return enter(task, PairState::done, result->reason);
        case PhaseEnd::refused:
            say_refused(task, PhaseName::second, result->reason);
            return enter(task, PairState::second_refused, result->reason);
        default: return remain(task, PhaseName::second, *result);
    }
}

PairExecutor::Outcome PairExecutor::compensate(const PairTask& task) {
    if (!task.step.compensate) return park(task, "second refused, and no compensate is declared: " + task.pair.reason);
    const std::string refusal = task.pair.reason;
    const auto result = run_phase(task, PhaseName::compensate);
    if (!result) return std::unexpected(result.error());
    switch (result->end) {
        case PhaseEnd::done:
            say(log::Level::warning, task.pair, to_string(PhaseName::compensate), "compensated", refusal,
                task.step.name + " first undone by compensate");
            return enter(task, PairState::compensated, refusal);
        case PhaseEnd::refused: return park(task, "compensate refused: " + result->reason);
        default: return remain(task, PhaseName::compensate, *result);
    }
}

void PairExecutor::say_refused(const PairTask& task, PhaseName name, const std::string& reason) {
    const std::string phase(to_string(name));
    say(log::Level::warning, task.pair, phase, "refused", reason, task.step.name + " " + phase + " refused: " + reason);
}

const std::string& PairExecutor::key_of(const PairTask& task, PhaseName name) {
    std::string& key = keys_.at(static_cast<std::size_t>(name));
    if (key.empty()) key = idempotency_key(pass_.job.name, task.pair.item_key, task.step.name, name, task.pair.generation);
    return key;
}

Scope PairExecutor::scope_of(const PairTask& task, PhaseName name) {
    Scope scope = pass_.base_scope(task.terms);
    // What a dead run sent is asked for, and gone on with, by the names that it was sent under.
    scope.run_id = task.pair.run_id;
    scope.run_date = task.pair.run_date;
    scope.inputs = &task.inputs;
    scope.item_key = task.pair.item_key;
    scope.outputs = &task.outputs;
    scope.idempotency_key = key_of(task, name);
    return scope;
}

Result<PhaseResult> PairExecutor::run_phase(const PairTask& task, PhaseName name) {
    const Scope scope = scope_of(task, name);
    auto result = PhaseCourse(pass_, bench_, task, name, scope).run();
    found_nobody_ =
        result && (result->end == PhaseEnd::not_applied || result->end == PhaseEnd::in_doubt) && result->not_connected;
    return result;
}

/// The phase came to no end that a state of its own stands for.
PairExecutor::Outcome PairExecutor::remain(const PairTask& task, PhaseName name, const PhaseResult& result) {
    const std::string what = task.step.name + " " + std::string(to_string(name));
    const auto tell = [&](log::Level level, std::string_view outcome, const std::string& words) {
        say(level, task.pair, to_string(name), outcome, result.reason, what + " " + words + ": " + result.reason);
    };
    switch (result.end) {
        case PhaseEnd::stopped: return PairEnd::left;
        case PhaseEnd::parked: return park(task, result.reason);
        case PhaseEnd::cut: tell(log::Level::error, "cut", "was cut"); return PairEnd::cut;
        case PhaseEnd::not_applied:
            tell(log::Level::warning, "not applied", "did not take effect");
            return not_applied(task, name, result);
        default: tell(log::Level::error, "in doubt", "is in doubt");
    }
    task.pair.reason = result.reason;
    // An outage asks for no person as long as the API remembers the key.
    if (result.not_connected) --task.pair.pair_attempts;
    return try_later(task, PairEnd::open, result.retry_after);
}

PairExecutor::Outcome PairExecutor::not_applied(const PairTask& task, PhaseName name, const PhaseResult& result) {
    const bool used_up = task.pair.pair_attempts >= task.terms.passes_for(name);
    switch (name) {
        case PhaseName::first:
            // Nobody to talk to is no fault of the item's.
            if (result.not_connected) --task.pair.pair_attempts;
            return try_later(task, PairEnd::failed, result.retry_after);
        case PhaseName::second:
            if (!used_up) return try_later(task, PairEnd::open, result.retry_after);
            return enter(task, PairState::second_refused, "maxPairAttempts used up: " + result.reason);
        case PhaseName::compensate:
            if (!used_up) return try_later(task, PairEnd::open, result.retry_after);
            return park(task, "compensate did not take effect, after " + std::to_string(task.pair.pair_attempts) +
                                  " passes in all: " + result.reason);
    }
    return PairEnd::open;
}

/// The pair ends for this pass in the state that it is in.
PairExecutor::Outcome PairExecutor::try_later(const PairTask& task, PairEnd end, std::optional<Millis> retry_after) {
    task.pair.not_before_ms = not_before(task.pair.pair_attempts, retry_after);
    // changed_ms stays: `settle` counts from the attempt.
    if (auto written = pass_.journal.write(task.pair, Durability::ordered); !written) return std::unexpected(written.error());
    return end;
}

PairExecutor::Outcome PairExecutor::park(const PairTask& task, const std::string& reason) {
    say(log::Level::error, task.pair, "", "parked", reason, task.step.name + " is parked, it waits for a person: " + reason);
    task.pair.parked_from = task.pair.state;
    return enter(task, PairState::parked, reason);
}

PairExecutor::Outcome PairExecutor::enter(const PairTask& task, PairState state, const std::string& reason) {
    task.pair.not_before_ms = has_failed(state) ? not_before(task.pair.pair_attempts) : 0;
    // A parked one keeps what it owed: the person may find that it was not applied.
    if (state != PairState::parked) task.pair.owes_steps = state == PairState::done && !task.terms.last_step;
    task.pair.state = state;
    task.pair.reason = reason;
    task.pair.changed_ms = wall_now_ms();
    // What must be on the disk before the next effect is written with that effect's BEGUN; PARKED ends the matter by itself.
    const Durability durability = state == PairState::parked ? Durability::synced : Durability::ordered;
    if (auto written = pass_.journal.write(task.pair, durability); !written) return std::unexpected(written.error());
    return std::nullopt;
}

}  // namespace lockstep
