#include "run/pass.hpp"

#include <fmt/format.h>

#include <system_error>
#include <thread>
#include <vector>

#include "base/text.hpp"
#include "sys/log.hpp"

namespace lockstep {

std::string summary_text(const PassTotals& totals, Millis elapsed) {
    std::string text = fmt::format("done {}, failed {}, parked {}, left {} in {}", totals.done, totals.failed, totals.parked,
                                   totals.left, describe_duration(elapsed));
    if (totals.skipped > 0) text += fmt::format("; {} done before", totals.skipped);
    if (totals.open > 0) text += fmt::format("; {} half done", totals.open);
    return text;
}

namespace {

/// Reading on costs next to nothing, and nobody is asked for it: a file, or the one item of a job without items.
bool can_be_counted(const std::optional<ItemsSpec>& items) {
    if (!items) return true;
    if (const auto* ndjson = std::get_if<ItemsSpec::Ndjson>(&items->source)) return ndjson->path != "-";
    return std::holds_alternative<ItemsSpec::Csv>(items->source);
}

}  // namespace

PassResult Pass::run() {
    result_.totals.begun_ms = wall_now_ms();
    report_unfinished();
    if (may_begin()) {
        Workbench bench = make_bench();
        auto items = open_items(context_.job, context_.base_scope(), number_, context_.stop.requested, bench);
        if (!items) {
            if (items.error().failure == Failure::stopped) {
                end_with(ExitStatus::try_again, "stopped");
            } else {
                end_with(items.error());
            }
        } else {
            items_ = std::move(*items);
            work_together();
            count_what_is_left();
        }
    }
    const PassTotals& totals = result_.totals;
    if (totals.failed + totals.parked + totals.open > 0) result_.status = graver(result_.status, ExitStatus::some_failed);
    if (context_.stop.requested.fired() && (totals.left > 0 || !exhausted_))
        end_with(ExitStatus::try_again, "stopped with work left");
    if (only_ && !only_found_ && exhausted_) {
        end_with(Error{Failure::items, "no item has the key \"" + printable(*only_) + "\""});
    }
    return result_;
}

/// Names what an earlier run left half done or parked.
void Pass::report_unfinished() {
    auto unfinished = context_.journal.unfinished();
    if (!unfinished) return end_with(unfinished.error());
    for (const Pair& pair : *unfinished) {
        if (!is_open(pair.state)) continue;
        if (!open_items_.insert(pair.item_key).second) continue;
        log::error("{}: {} was left {} by run {}: {}", pair.item_key, pair.step, to_string(pair.state), pair.run_id,
                   is_in_doubt(pair.state) ? "whether that took effect is not known" : "half done");
        ++result_.totals.open;
    }
    for (const Pair& pair : *unfinished) {
        if (pair.state != PairState::parked || !open_items_.insert(pair.item_key).second) continue;
        ++result_.totals.parked;
    }
}

Workbench Pass::make_bench() {
    Workbench bench;
    bench.commands = &commands_;
    bench.cut = &context_.stop.cut;
    bench.shield = context_.job.shield.value_or(false);
    return bench;
}

bool Pass::may_begin() const { return !ended_ && !context_.stop.requested.fired(); }

void Pass::work_together() {
    std::vector<std::thread> helpers;
    for (int i = 1; i < context_.job.max_concurrency; ++i) {
        try {
            helpers.emplace_back([this, i] { work(static_cast<std::size_t>(i)); });
        } catch (const std::system_error& problem) {
            log::warning("only {} of {} pairs at a time: starting a thread: {}", i, context_.job.max_concurrency,
                         problem.what());
            break;
        }
    }
    work(0);
    for (std::thread& helper : helpers) helper.join();
}

void Pass::work(std::size_t worker) {
    Workbench bench = make_bench();
    while (may_begin()) {
        const auto item = take_item();
        if (!item) return;
        carry_out(*item, bench, worker);
    }
}

std::optional<Item> Pass::take_item() {
    const std::lock_guard guard(mutex_);
    while (!exhausted_ && may_begin()) {
        auto next = items_->next();
        if (!next) {
            if (next.error().failure != Failure::stopped) end_with(next.error());
            return std::nullopt;
        }
        if (!next->has_value()) {
            exhausted_ = true;
            return std::nullopt;
        }
        if (const BadItem* bad = std::get_if<BadItem>(&**next)) {
            if (only_) continue;
            log::warning("{}", bad->what);
            ++result_.totals.failed;
            continue;
        }
        Item& item = std::get<Item>(**next);
        if (only_ && item.key != *only_) continue;
        only_found_ = true;
        if (open_items_.contains(item.key)) continue;  // reported and counted already
        return std::move(item);
    }
    return std::nullopt;
}

/// All steps of one item, in order. Between two of them a stop is honoured, unless the item is the unit.
void Pass::carry_out(const Item& item, Workbench& bench, std::size_t worker) {
    PairExecutor executor(context_, bench, worker);
    StepOutputs outputs;
    PairEnd end = PairEnd::skipped;
    for (const StepSpec& step : context_.job.steps) {
        const bool indivisible = end == PairEnd::done && context_.job.section == Section::item;
        if (end == PairEnd::done && !indivisible && !may_begin()) return count(PairEnd::left, item);
        const auto result = executor.execute(step, item.key, item.inputs, outputs);
        if (!result) {
            const std::lock_guard guard(mutex_);
            return end_with(result.error());
        }
        if (*result == PairEnd::skipped) continue;
        end = *result;
        if (end != PairEnd::done) break;
    }
    count(end, item);
}

void Pass::count(PairEnd end, const Item& item) {
    if (end != PairEnd::left && end != PairEnd::skipped) context_.activity.item_ended(end == PairEnd::done);
    const std::lock_guard guard(mutex_);
    PassTotals& totals = result_.totals;
    switch (end) {
        case PairEnd::done:
            ++totals.done;
            log::debug("{}: done", item.key);
            return;
        case PairEnd::skipped: ++totals.skipped; return;
        case PairEnd::left: ++totals.left; return;
        case PairEnd::parked: ++totals.parked; break;
        case PairEnd::open: ++totals.open; break;
        case PairEnd::failed: ++totals.failed; break;
        case PairEnd::cut:
            ++totals.open;
            end_with(ExitStatus::cut, "cut at the deadline");
            return;
    }
    const auto& tolerated = context_.job.tolerated_failure_count;
    if (tolerated && !ended_ && totals.failed + totals.parked + totals.open > *tolerated) {
        log::error("more than {} items failed (toleratedFailureCount): no further item is begun", *tolerated);
        end_with(ExitStatus::some_failed, "too many failures");
    }
}

void Pass::end_with(Error error) {
    if (result_.error) return;
    end_with(exit_status_of(error.failure), error.text);
    result_.error = std::move(error);
}

void Pass::end_with(ExitStatus status, const std::string& because) {
    if (result_.status == ExitStatus::ok || graver(status, result_.status) != result_.status) result_.ended_because = because;
    result_.status = graver(status, result_.status);
    ended_ = true;
}

/// A stop ends the reading of items, too; what a file still holds is counted as long as that costs nobody any time.
void Pass::count_what_is_left() {
    constexpr Millis kCountingTime{20};
    if (exhausted_ || only_ || !can_be_counted(context_.job.items)) return;
    const MonotonicTime deadline = monotonic_now() + kCountingTime;
    while (monotonic_now() < deadline) {
        const auto next = items_->next();
        if (!next || !next->has_value()) {
            exhausted_ = next.has_value();
            return;
        }
        const Item* item = std::get_if<Item>(&**next);
        if (item == nullptr || open_items_.contains(item->key)) continue;
        ++(is_done(*item) ? result_.totals.skipped : result_.totals.left);
    }
}

bool Pass::is_done(const Item& item) const {
    for (const StepSpec& step : context_.job.steps) {
        const auto pair = context_.journal.find(item.key, step.name);
        if (!pair || !*pair || (*pair)->state != PairState::done) return false;
    }
    return true;
}

}  // namespace lockstep
