#include "run/pair_executor.hpp"

#include "base/clock.hpp"
#include "sys/log.hpp"

namespace lockstep {

namespace {

void recall_outputs(const Pair& pair, StepOutputs& outputs) {
    const auto all = parse_json(pair.outputs.empty() ? "{}" : pair.outputs);
    if (!all) return;
    for (const PhaseName name : {PhaseName::first, PhaseName::second}) {
        if (const Json* values = all->find(to_string(name))) outputs.by_phase[{pair.step, name}] = *values;
    }
}

}  // namespace

Result<PairEnd> PairExecutor::execute(const StepSpec& step, const std::string& item_key, const Json& inputs,
                                      StepOutputs& outputs) {
    auto pair = load(step, item_key, inputs);
    if (!pair) return std::unexpected(pair.error());
    recall_outputs(*pair, outputs);
    switch (pair->state) {
        case PairState::done: return PairEnd::skipped;
        case PairState::parked: return PairEnd::parked;
        case PairState::first_refused:
        case PairState::compensated:
            // APIs replay a stored refusal under its key, so a new attempt needs a new one, and it must outlive a crash.
            ++pair->generation;
            pair->outputs.clear();
            if (auto written = enter({*pair, step, inputs, outputs}, PairState::pending, ""); !written)
                return std::unexpected(written.error());
            break;
        default:
            if (is_open(pair->state)) return PairEnd::open;
    }
    ++pair->pair_attempts;
    return advance({*pair, step, inputs, outputs});
}

void PairExecutor::remember_outputs(const Task& task, PhaseName name, const Json& values) {
    Json all = task.pair.outputs.empty() ? Json::object() : parse_json(task.pair.outputs).value_or(Json::object());
    all.set(to_string(name), values);
    task.pair.outputs = to_text(all);
    task.outputs.by_phase[{task.step.name, name}] = values;
}

Result<Pair> PairExecutor::load(const StepSpec& step, const std::string& item_key, const Json& inputs) const {
    auto found = pass_.journal.find(item_key, step.name);
    if (!found) return std::unexpected(found.error());
    Pair pair = found->has_value() ? std::move(**found) : Pair{};
    if (!found->has_value()) pair.begun_ms = wall_now_ms();
    pair.item_key = item_key;
    pair.step = step.name;
    pair.run_id = pass_.run_id;
    if (!is_open(pair.state)) {
        pair.item = to_text(inputs);
        pair.definition = step.definition;
    }
    return pair;
}

/// Each turn of the loop is one state; it ends where nothing more can be done in this pass.
Result<PairEnd> PairExecutor::advance(const Task& task) {
    for (;;) {
        Result<std::optional<PairEnd>> ended;
        switch (task.pair.state) {
            case PairState::pending:
            case PairState::first_not_applied: ended = first(task); break;
            case PairState::first_done:
            case PairState::second_not_applied: ended = second(task); break;
            case PairState::second_refused:
            case PairState::compensate_not_applied: ended = compensate(task); break;
            case PairState::first_refused:
            case PairState::compensated: return PairEnd::failed;
            case PairState::done: return PairEnd::done;
            case PairState::parked: return PairEnd::parked;
            default: return fail(Failure::journal, "a pair cannot go on from " + std::string(to_string(task.pair.state)));
        }
        if (!ended) return std::unexpected(ended.error());
        if (*ended) return **ended;
    }
}

Result<std::optional<PairEnd>> PairExecutor::first(const Task& task) {
    const auto result = run_phase(task, PhaseName::first);
    if (!result) return std::unexpected(result.error());
    switch (result->end) {
        case PhaseEnd::done:
            remember_outputs(task, PhaseName::first, result->outputs);
            return enter(task, task.step.second ? PairState::first_done : PairState::done, result->reason);
        case PhaseEnd::refused:
            log::warning("{}: {} first refused: {}", task.pair.item_key, task.step.name, result->reason);
            // A request that could not even be made: nothing was begun, and nothing is on record.
            if (task.pair.state != PairState::first_begun) return PairEnd::failed;
            return enter(task, PairState::first_refused, result->reason);
        default: return remain(task, PhaseName::first, *result);
    }
}

Result<std::optional<PairEnd>> PairExecutor::second(const Task& task) {
    const auto result = run_phase(task, PhaseName::second);
    if (!result) return std::unexpected(result.error());
    switch (result->end) {
        case PhaseEnd::done:
            remember_outputs(task, PhaseName::second, result->outputs);
            return enter(task, PairState::done, result->reason);
        case PhaseEnd::refused:
            log::warning("{}: {} second refused: {}", task.pair.item_key, task.step.name, result->reason);
            return enter(task, PairState::second_refused, result->reason);
        default: return remain(task, PhaseName::second, *result);
    }
}

Result<std::optional<PairEnd>> PairExecutor::compensate(const Task& task) {
    if (!task.step.compensate) return park(task, "second refused, and no compensate is declared: " + task.pair.reason);
    const std::string refusal = task.pair.reason;
    const auto result = run_phase(task, PhaseName::compensate);
    if (!result) return std::unexpected(result.error());
    switch (result->end) {
        case PhaseEnd::done:
            log::warning("{}: {} first undone by compensate", task.pair.item_key, task.step.name);
            return enter(task, PairState::compensated, refusal);
        case PhaseEnd::refused: return park(task, "compensate refused: " + result->reason);
        default: return remain(task, PhaseName::compensate, *result);
    }
}

Result<PhaseResult> PairExecutor::run_phase(const Task& task, PhaseName name) {
    Scope scope = pass_.base_scope();
    scope.inputs = &task.inputs;
    scope.item_key = task.pair.item_key;
    scope.outputs = &task.outputs;
    scope.idempotency_key = idempotency_key(pass_.job.name, task.pair.item_key, task.step.name, name, task.pair.generation);
    return PhaseCourse(pass_, bench_, worker_, task.pair, task.step, name, scope).run();
}

/// The phase came to no end that a state of its own stands for.
Result<std::optional<PairEnd>> PairExecutor::remain(const Task& task, PhaseName name, const PhaseResult& result) {
    const std::string what = task.pair.item_key + ": " + task.step.name + " " + std::string(to_string(name));
    switch (result.end) {
        case PhaseEnd::stopped: return PairEnd::left;
        case PhaseEnd::parked: return park(task, result.reason);
        case PhaseEnd::cut: log::error("{} was cut: {}", what, result.reason); return PairEnd::cut;
        case PhaseEnd::not_applied:
            log::warning("{} did not take effect: {}", what, result.reason);
            return name == PhaseName::first ? PairEnd::failed : PairEnd::open;
        default: log::error("{} is in doubt: {}", what, result.reason); return PairEnd::open;
    }
}

Result<std::optional<PairEnd>> PairExecutor::park(const Task& task, const std::string& reason) {
    log::error("{}: {} is parked, it waits for a person: {}", task.pair.item_key, task.step.name, reason);
    return enter(task, PairState::parked, reason);
}

Result<std::optional<PairEnd>> PairExecutor::enter(const Task& task, PairState state, const std::string& reason) {
    task.pair.state = state;
    task.pair.reason = reason;
    task.pair.changed_ms = wall_now_ms();
    // What must be on the disk before the next effect is written with that effect's BEGUN; PARKED ends the matter by itself.
    const Durability durability = state == PairState::parked ? Durability::synced : Durability::ordered;
    if (auto written = pass_.journal.write(task.pair, durability); !written) return std::unexpected(written.error());
    return std::nullopt;
}

}  // namespace lockstep
