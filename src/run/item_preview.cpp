#include "run/item_preview.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "job/definition.hpp"
#include "run/back_off.hpp"
#include "run/pair_executor.hpp"
#include "run/request_trial.hpp"
#include "step/idempotency_key.hpp"
#include "step/request.hpp"

namespace lockstep {

namespace {

/// Of a pair of which certainly nothing is on its way.
std::optional<PhaseName> next_phase(PairState state) {
    switch (state) {
        case PairState::first_done:
        case PairState::second_not_applied: return PhaseName::second;
        case PairState::second_refused:
        case PairState::compensate_not_applied: return PhaseName::compensate;
        default: return std::nullopt;
    }
}

/// Of the attempt that a run would make of a pair of which nothing is open.
int next_generation(const Pair& pair) { return pair.generation + (has_failed(pair.state) ? 1 : 0); }

StepOutputs outputs_of(const std::vector<Pair>& pairs) {
    StepOutputs outputs;
    for (const Pair& pair : pairs) {
        if (!has_failed(pair.state)) recall_outputs(pair, outputs);
    }
    return outputs;
}

}  // namespace

Result<void> ItemPreview::show(const UnfinishedItem& item) {
    auto pairs = journal_.pairs_of(item.key);
    if (!pairs) return std::unexpected(std::move(pairs.error()));
    const auto pair_of = [&pairs](const UnfinishedPair& one) { return std::ranges::find(*pairs, one.step, &Pair::step); };
    const auto oldest = pair_of(item.pairs.front());
    if (oldest == pairs->end()) return {};  // a run that is at work has been faster
    const Json inputs = parse_json(oldest->item).value_or(Json::object());
    const StepOutputs outputs = outputs_of(*pairs);
    if (item.is_parked()) {
        text_ += "# " + printable(item.key) + "\n";
        for (const UnfinishedPair& one : item.pairs) {
            const auto pair = pair_of(one);
            if (pair != pairs->end() && pair->state == PairState::parked) (void)go_on_with(*pair, inputs, outputs);
        }
        return {};
    }
    if (std::ranges::none_of(item.pairs, [](const UnfinishedPair& one) { return is_open(one.state); }))
        return show(item.key, inputs);
    text_ += "# " + printable(item.key) + "\n";
    std::set<std::string_view> gone_on;
    for (const UnfinishedPair& one : item.pairs) {
        const auto pair = pair_of(one);
        if (pair == pairs->end() || !is_open(pair->state)) continue;
        if (go_on_with(*pair, inputs, outputs) == Next::next_item) return {};
        gone_on.insert(one.step);
    }
    show_steps(item.key, inputs, *pairs, gone_on);
    return {};
}

Result<void> ItemPreview::show(const std::string& key, const Json& inputs) {
    const auto pairs = journal_.pairs_of(key);
    if (!pairs) return std::unexpected(pairs.error());
    const auto is_done = [&pairs](const StepSpec& step) {
        const auto pair = std::ranges::find(*pairs, step.name, &Pair::step);
        return pair != pairs->end() && pair->state == PairState::done;
    };
    if (std::ranges::all_of(job_.steps, is_done)) {
        ++done_before_;
        return {};
    }
    text_ += "# " + printable(key) + "\n";
    show_steps(key, inputs, *pairs, {});
    return {};
}

/// @param gone_on  steps whose pairs have been shown, and that are taken to be done then
void ItemPreview::show_steps(const std::string& key, const Json& inputs, const std::vector<Pair>& pairs,
                             const std::set<std::string_view>& gone_on) {
    const StepOutputs outputs = outputs_of(pairs);
    Scope scope = base_;
    scope.inputs = &inputs;
    scope.item_key = key;
    scope.outputs = &outputs;
    scope.outputs_to_come = true;
    for (const StepSpec& step : job_.steps) {
        if (gone_on.contains(step.name)) continue;
        const auto pair = std::ranges::find(pairs, step.name, &Pair::step);
        const bool is_on_record = pair != pairs.end();
        const Next next = is_on_record ? go_on_with(*pair, inputs, outputs) : Next::begin_it;
        if (next == Next::next_item) return;
        if (next == Next::next_step) continue;
        const auto requests = requests_of(step, scope, is_on_record ? next_generation(*pair) : 0);
        if (!requests) {
            std::fprintf(stderr, "lockstep: %s: %s would not be begun, a request cannot be made of this item: %s\n",
                         printable(key).c_str(), step.name.c_str(), requests.error().text.c_str());
            status_ = ExitStatus::some_failed;
            return;
        }
        text_ += *requests;
    }
}

ItemPreview::Next ItemPreview::tell(const Pair& pair, Next next, const std::string& words) {
    text_ += "# " + pair.step + ": " + words + "\n";
    return next;
}

ItemPreview::Next ItemPreview::go_on_with(const Pair& pair, const Json& inputs, const StepOutputs& outputs) {
    const std::string state(to_string(pair.state));
    if (pair.state == PairState::done) return tell(pair, Next::next_step, "done before");
    if (pair.state == PairState::parked) return tell(pair, Next::next_item, "parked, it waits for a person");
    if (only_ != pair.item_key && is_backing_off(pair.not_before_ms)) {
        return tell(pair, Next::next_item,
                    fmt::format("{}, not tried again before {} (--only {} does it now)", state,
                                format_local(pair.not_before_ms), shell_quoted_line(pair.item_key)));
    }
    if (!is_open(pair.state)) {
        if (pair.pair_attempts < job_.max_pair_attempts) return Next::begin_it;
        return tell(pair, Next::next_item,
                    fmt::format("{}, tried in {} {}: it would be parked (maxPairAttempts)", state, pair.pair_attempts,
                                pair.pair_attempts == 1 ? "pass" : "passes"));
    }
    const auto phase = next_phase(pair.state);
    if (!phase) {
        return tell(pair, Next::next_item,
                    state + ", settled first" + (is_in_doubt(pair.state) ? ", by the request that is journalled" : ""));
    }
    const auto request = next_request(pair, *phase, inputs, outputs);
    if (!request) return tell(pair, Next::next_item, state + ", settled first: " + request.error().text);
    const Next next =
        tell(pair, *phase == PhaseName::second ? Next::next_step : Next::next_item, state + ", gone on with first");
    text_ += *request;
    return next;
}

/// Under the definition that it began with.
Result<std::string> ItemPreview::next_request(const Pair& pair, PhaseName name, const Json& inputs,
                                              const StepOutputs& outputs) const {
    const auto definition = parse_definition(pair.definition);
    if (!definition) return std::unexpected(definition.error());
    const PhaseSpec* phase = definition->step.phase(name);
    if (phase == nullptr)
        return fail(Failure::journal, "no " + std::string(to_string(name)) + " is declared, it would be parked");
    const std::string key = idempotency_key(job_.name, pair.item_key, pair.step, name, pair.generation);
    Scope scope = base_;
    scope.params = &definition->params;
    scope.inputs = &inputs;
    scope.outputs = &outputs;
    scope.run_id = pair.run_id;
    if (!pair.run_date.empty()) scope.run_date = pair.run_date;
    scope.item_key = pair.item_key;
    scope.idempotency_key = key;
    const auto request = render_request(phase->action, phase->idempotency, scope);
    if (!request) return std::unexpected(request.error());
    return describe_request(*request) + "\n";
}

/// Of its two phases, a line each; an error where a run would not begin it.
Result<std::string> ItemPreview::requests_of(const StepSpec& step, Scope scope, int generation) const {
    std::string key = idempotency_key(job_.name, scope.item_key, step.name, PhaseName::first, generation);
    scope.idempotency_key = key;
    if (const auto made = try_later_requests(step, scope); !made) return std::unexpected(made.error());
    std::string lines;
    for (const PhaseName name : {PhaseName::first, PhaseName::second}) {
        const PhaseSpec* phase = step.phase(name);
        if (phase == nullptr) continue;
        key = idempotency_key(job_.name, scope.item_key, step.name, name, generation);
        scope.idempotency_key = key;
        const auto request = render_request(phase->action, phase->idempotency, scope);
        if (!request) return fail(request.error().failure, fmt::format("{}: {}", to_string(name), request.error().text));
        lines += describe_request(*request) + "\n";
    }
    return lines;
}

}  // namespace lockstep
