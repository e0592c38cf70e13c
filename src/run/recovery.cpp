#include "run/recovery.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "job/definition.hpp"
#include "journal/apply_decisions.hpp"
#include "run/item_course.hpp"
#include "sys/log.hpp"

namespace lockstep {

Result<void> Recovery::find() {
    if (auto applied = take_decisions(); !applied) return applied;
    auto unfinished = pass_.journal.unfinished();
    if (!unfinished) return std::unexpected(unfinished.error());
    if (unfinished->empty()) return {};
    // What was read may be a dead run's last write, which a power cut could still take back.
    if (auto flushed = pass_.journal.flush(); !flushed) return flushed;
    for (UnfinishedItem& item : unfinished_items(std::move(*unfinished), pass_.only)) {
        const auto left = leave_to_source(item);
        if (!left) return std::unexpected(left.error());
        if (!*left) items_.push_back(std::move(item));
    }
    return {};
}

const UnfinishedItem* Recovery::take() {
    const std::size_t number = next_++;
    return number < items_.size() ? &items_[number] : nullptr;
}

Result<Recovery::Settled> Recovery::settle(const UnfinishedItem& item, Workbench& bench) {
    Settled settled;
    if (item.is_parked()) {
        settled.end = PairEnd::still_parked;
    } else if (!pass_.may_begin() || leaves_the_rest_) {
        settled.end = not_reached(item);
    } else {
        const auto end = go_on_with(item, bench, settled.found_nobody);
        if (!end) return std::unexpected(end.error());
        settled.end = *end;
    }
    const auto nothing_left = is_settled(item.key, settled.end);
    if (!nothing_left) return std::unexpected(nothing_left.error());
    settled.nothing_left = *nothing_left;
    return settled;
}

/// In full, which they are kept only while the item is in hand.
Result<std::vector<Pair>> Recovery::pairs_of(const UnfinishedItem& item) {
    std::vector<Pair> pairs;
    for (const UnfinishedPair& one : item.pairs) {
        auto pair = pass_.journal.find(one.item_key, one.step);
        if (!pair) return std::unexpected(std::move(pair.error()));
        if (!*pair) return fail(Failure::journal, printable(one.item_key) + ": its pair is in the journal no longer");
        pairs.push_back(std::move(**pair));
    }
    return pairs;
}

PairEnd Recovery::not_reached(const UnfinishedItem& item) const {
    const auto backs_off = [this](const UnfinishedPair& pair) { return is_open(pair.state) && pass_.waits(pair); };
    return std::ranges::any_of(item.pairs, backs_off) ? PairEnd::waits_open : PairEnd::not_reached;
}

Result<bool> Recovery::leave_to_source(const UnfinishedItem& item) {
    if (!item.begins_anew(pass_.job)) return false;
    const auto pairs = pairs_of(item);
    if (!pairs) return std::unexpected(pairs.error());
    auto inputs = parse_json(pairs->front().item);
    if (!inputs) return false;
    asked_for_.emplace(item.key, std::move(*inputs));
    return true;
}

Result<bool> Recovery::is_settled(const std::string& item_key, PairEnd end) {
    if (end != PairEnd::failed) return end == PairEnd::done || end == PairEnd::skipped;
    const auto pairs = pass_.journal.pairs_of(item_key);
    if (!pairs) return std::unexpected(pairs.error());
    return std::ranges::none_of(*pairs, &Pair::owes_steps);
}

Result<PairEnd> Recovery::go_on_with(const UnfinishedItem& item, Workbench& bench, bool& found_nobody) {
    const std::string& item_key = item.key;
    const auto pairs = pairs_of(item);
    if (!pairs) return std::unexpected(pairs.error());
    const auto inputs = parse_json(pairs->front().item);
    if (!inputs) {
        log::error("{}: the journalled item cannot be read, it stays open: {}", printable(item_key), inputs.error().what);
        return PairEnd::open;
    }
    PairEnd end = PairEnd::skipped;
    for (const Pair& pair : *pairs) {
        if (!is_open(pair.state)) continue;
        const auto resumed = resume(pair, *inputs, bench, found_nobody);
        if (!resumed || *resumed != PairEnd::done) return resumed;
        end = *resumed;
    }
    const bool divisible = end == PairEnd::done && pass_.job.section == Section::step;
    if (divisible && !pass_.may_begin() && !is_done(pass_, item_key)) return PairEnd::left;

    ItemCourse course(pass_, bench);
    const auto rest = course.run(item_key, *inputs);
    found_nobody = course.found_nobody();
    if (!rest || *rest != PairEnd::skipped) return rest;
    for (const Pair& pair : *pairs) {
        if (auto cleared = clear_debt(pass_.journal, item_key, pair.step); !cleared) return std::unexpected(cleared.error());
    }
    return end;
}

Result<PairEnd> Recovery::resume(const Pair& pair, const Json& inputs, Workbench& bench, bool& found_nobody) {
    if (pass_.waits(pair)) return PairEnd::waits_open;
    const auto definition = parse_definition(pair.definition);
    if (!definition) {
        log::error("{}: {} stays open, its journalled definition cannot be read: {}", printable(pair.item_key), pair.step,
                   definition.error().text);
        return PairEnd::open;
    }
    const StepSpec* now = pass_.job.step(pair.step);
    log::write(
        log::Level::warning,
        fmt::format("{}: {}, begun by run {}, was left {}{}: settled first{}", printable(pair.item_key), pair.step, pair.run_id,
                    to_string(pair.state), is_in_doubt(pair.state) ? ", whether that took effect is not known" : "",
                    now != nullptr && now->definition == pair.definition ? "" : ", under the definition that it began with"),
        {{"item", pair.item_key}, {"step", pair.step}, {"outcome", to_string(pair.state)}});
    StepOutputs outputs;
    auto earlier = pass_.journal.pairs_of(pair.item_key);
    if (!earlier) return std::unexpected(earlier.error());
    for (const Pair& other : *earlier) recall_outputs(other, outputs);

    const SecretStore secrets(definition->secrets);
    const bool last = now == nullptr || now == &pass_.job.steps.back();
    const PairTerms terms{definition->params,     secrets, definition->max_pair_attempts,
                          definition->park_after, last,    pass_.is_in_midst(now)};
    PairExecutor executor(pass_, bench);
    const auto end = executor.resume(pair, definition->step, inputs, terms, outputs);
    found_nobody = executor.found_nobody();
    if (end && *end == PairEnd::done) {
        log::write(log::Level::info, printable(pair.item_key) + ": " + pair.step + " is done now",
                   {{"item", pair.item_key}, {"step", pair.step}, {"outcome", "done"}});
    }
    return end;
}

Result<void> Recovery::take_decisions() {
    const auto decisions = apply_decisions(pass_.journal);
    if (!decisions) return std::unexpected(decisions.error());
    for (const AppliedDecision& one : *decisions) {
        const Decision& decision = one.decision;
        log::write(one.applied ? log::Level::info : log::Level::warning,
                   fmt::format("{}: {}: {} decided {}: {}", printable(decision.item_key), decision.step, printable(decision.by),
                               to_string(decision.verb), one.outcome));
    }
    return {};
}

}  // namespace lockstep
