#include "run/pass.hpp"

#include <algorithm>
#include <limits>
#include <system_error>
#include <thread>
#include <vector>

#include "base/text.hpp"
#include "run/item_course.hpp"
#include "run/recovery.hpp"
#include "sys/log.hpp"

namespace lockstep {

namespace {

/// Reading on costs next to nothing, and nobody is asked for it: a file, or the one item of a job without items.
bool can_be_counted(const std::optional<ItemsSpec>& items) {
    if (!items) return true;
    if (std::holds_alternative<ItemsSpec::Ndjson>(items->source)) return !items->from_stdin();
    return std::holds_alternative<ItemsSpec::Csv>(items->source);
}

/// In this pass.
bool is_tried(PairEnd end) {
    switch (end) {
        case PairEnd::skipped:
        case PairEnd::left:
        case PairEnd::waits:
        case PairEnd::waits_open:
        case PairEnd::not_reached:
        case PairEnd::still_parked: return false;
        default: return true;
    }
}

}  // namespace

PassResult Pass::run() {
    settle_unfinished();
    Workbench bench = make_bench(0);  // the source of the items uses it as long as there are any
    context_.may_begin() ? go_through_items(bench) : leave_items(bench);
    const PassResult& result = tally_.result();
    if (result.error) tally_.count_cut(context_.journal);
    conclude();
    auto ended = context_.journal.end_pass(context_.run_id, number_, result.totals, result.ended_because);
    if (!ended && !result.error) {
        end_with(std::move(ended.error()));
        tally_.count_cut(context_.journal);
    }
    return tally_.take();
}

void Pass::go_through_items(Workbench& bench) {
    if (auto opened = open_source(bench); !opened) {
        if (opened.error().failure != Failure::stopped) return end_with(std::move(opened.error()));
        return end_with(ExitStatus::try_again, "stopped");
    }
    told_records_.emplace(context_.journal);
    if (only_) found_nobody_ = 0;  // what its item finds is another matter
    on_workers(std::numeric_limits<std::size_t>::max(), [this](std::size_t worker) { carry_out_items(worker); });
    if (!only_) told_records_->keep(exhausted_);
    count_what_is_left();
}

/// The end came before the first of them.
void Pass::leave_items(Workbench& bench) {
    if (!only_ && can_be_counted(context_.job.items) && !open_source(bench)) return tally_.more_may_be_left();
    count_what_is_left();
}

Result<void> Pass::open_source(Workbench& bench) {
    auto no_more = Interrupt::either(context_.stop.requested, context_.ended);
    if (!no_more) return std::unexpected(std::move(no_more.error()));
    no_more_items_.emplace(std::move(*no_more));
    auto items = open_items(context_.job, context_.base_scope(), number_, *no_more_items_, bench);
    if (!items) return std::unexpected(std::move(items.error()));
    items_ = std::move(*items);
    return {};
}

void Pass::conclude() {
    const PassResult& result = tally_.result();
    if (context_.stop.requested.fired() && (result.totals.left > 0 || result.not_reached > 0 || !exhausted_))
        end_with(ExitStatus::try_again, "stopped with work left");
    tally_.judge_items();
    if (only_ && !only_found_ && exhausted_) {
        end_with(Error{Failure::items, "no item has the key \"" + printable(*only_) + "\""});
    }
    // One item is not the batch: no success that anybody waits for.
    if (only_) tally_.only_one_item();
}

void Pass::settle_unfinished() {
    Recovery recovery(context_);
    if (auto found = recovery.find(); !found) return end_with(std::move(found.error()));
    on_workers(recovery.count(), [&](std::size_t worker) {
        Workbench bench = make_bench(worker);
        while (const auto item = recovery.take()) {
            const auto settled = recovery.settle(*item, bench);
            const std::lock_guard guard(mutex_);
            if (!settled) {
                tally_.cut(item->key);
                recovery.give_up();
                return end_with(settled.error());
            }
            only_found_ = only_found_ || item->key == only_;
            tally_.count_earlier(settled->end, item->key, settled->nothing_left);
            look_at(settled->end);
            if (!nobody_answers(settled->end, settled->found_nobody)) continue;
            only_ ? recovery.leave_the_rest() : end_as_nobody_answers();  // the one that is wanted has its turn
        }
    });
    asked_for_ = recovery.take_asked_for();
}

Workbench Pass::make_bench(std::size_t worker) {
    Workbench bench;
    bench.worker = worker;
    bench.commands = &commands_;
    bench.cut = &context_.stop.cut;
    bench.shield = context_.job.shield;
    bench.shield_by_default = &context_.shield_by_default;
    return bench;
}

/// Calls `work` with the number of a worker, 0 for this thread, on as many as there may be and as there is work for.
template <typename Work>
void Pass::on_workers(std::size_t tasks, const Work& work) {
    const std::size_t count = std::min(tasks, static_cast<std::size_t>(context_.job.max_concurrency));
    std::vector<std::thread> helpers;
    for (std::size_t i = 1; i < count; ++i) {
        try {
            helpers.emplace_back([&work, i] { work(i); });
        } catch (const std::system_error& problem) {
            log::warning("only {} of {} pairs at a time: starting a thread: {}", i, count, problem.what());
            break;
        }
    }
    if (count > 0) work(0);
    for (std::thread& helper : helpers) helper.join();
}

void Pass::carry_out_items(std::size_t worker) {
    Workbench bench = make_bench(worker);
    while (context_.may_begin()) {
        const auto item = take_item();
        if (!item) return;
        carry_out(*item, bench);
    }
}

std::optional<Item> Pass::take_item() {
    const std::lock_guard reading(reading_);
    while (!exhausted_ && context_.may_begin()) {
        auto next = items_->next();
        const std::lock_guard guard(mutex_);
        if (!next) {
            if (next.error().failure != Failure::stopped) end_with(next.error());
            return std::nullopt;
        }
        if (!next->has_value()) {
            exhausted_ = true;
            break;
        }
        if (const BadItem* bad = std::get_if<BadItem>(&**next)) {
            if (only_) continue;
            count_bad(bad->what);
            continue;
        }
        Item& item = std::get<Item>(**next);
        const bool asked_for = asked_for_.erase(item.key) > 0;
        if (only_ && item.key != *only_ && !asked_for) continue;
        only_found_ = only_found_ || item.key == only_;
        if (tally_.is_counted_earlier(item.key)) continue;
        if (context_.may_begin()) return std::move(item);
        count_not_begun(item.key);  // the end came while it was waited for
    }
    const std::lock_guard guard(mutex_);
    return take_unlisted();
}

/// With mutex_ held. What a person asked for is gone through although its source lists it no longer.
std::optional<Item> Pass::take_unlisted() {
    if (!exhausted_ || asked_for_.empty() || !context_.may_begin()) return std::nullopt;
    auto one = asked_for_.extract(asked_for_.begin());
    only_found_ = only_found_ || one.key() == only_;
    return Item{std::move(one.key()), std::move(one.mapped())};
}

/// With mutex_ held. One that every pass finds again is told once, as a parked pair is.
void Pass::count_bad(const std::string& what) {
    tally_.count_bad(what, told_records_->told_before(what));
    count_failure();
}

void Pass::carry_out(const Item& item, Workbench& bench) {
    ItemCourse course(context_, bench);
    const auto end = course.run(item.key, item.inputs);
    if (!end) {
        const std::lock_guard guard(mutex_);
        tally_.cut(item.key);
        return end_with(end.error());
    }
    const std::lock_guard guard(mutex_);
    tally_.count(*end, item.key);
    if (*end == PairEnd::failed || *end == PairEnd::parked || *end == PairEnd::open) count_failure();
    look_at(*end);
    if (nobody_answers(*end, course.found_nobody())) end_as_nobody_answers();
}

/// An item has ended. With mutex_ held.
void Pass::look_at(PairEnd end) {
    if (end != PairEnd::left && end != PairEnd::skipped && end != PairEnd::not_reached)
        context_.activity.item_ended(end == PairEnd::done);
    if (end == PairEnd::cut) end_with(ExitStatus::cut, "cut at the deadline");
}

/// With mutex_ held. What was parked or open before this pass does not count: it must not keep other items from being done.
void Pass::count_failure() {
    const auto& tolerated = context_.job.tolerated_failure_count;
    if (!tolerated || context_.ended.fired() || ++failures_ <= *tolerated) return;
    log::error("more than {} items failed (toleratedFailureCount): no further item is begun", *tolerated);
    end_with(ExitStatus::some_failed, "too many failures");
}

/// Item after item found nobody to talk to: the others would only spend their deadlines. With mutex_ held.
bool Pass::nobody_answers(PairEnd end, bool found_nobody) {
    constexpr int kInARow = 5;
    if (!is_tried(end)) return false;
    found_nobody_ = found_nobody ? found_nobody_ + 1 : 0;
    return found_nobody_ == std::max(kInARow, context_.job.max_concurrency);
}

/// With mutex_ held.
void Pass::end_as_nobody_answers() {
    log::error("the last {} items found nobody to talk to: this pass ends here", found_nobody_);
    end_with(ExitStatus::some_failed, "nobody to talk to");
}

void Pass::end_with(Error error) {
    tally_.end_with(std::move(error));
    context_.ended.fire();
}

void Pass::end_with(ExitStatus status, const std::string& because) {
    tally_.end_with(status, because);
    context_.ended.fire();
}

/// A stop ends the reading of items, too; what a file still holds is counted as long as that costs nobody any time.
void Pass::count_what_is_left() {
    constexpr Millis kCountingTime{20};
    const bool counts = !exhausted_ && !only_ && can_be_counted(context_.job.items);
    const MonotonicTime deadline = monotonic_now() + kCountingTime;
    while (counts && monotonic_now() < deadline) {
        const auto next = items_->next();
        if (!next || !next->has_value()) {
            exhausted_ = next.has_value();
            break;
        }
        const Item* item = std::get_if<Item>(&**next);
        if (item != nullptr) asked_for_.erase(item->key);
        if (item == nullptr || tally_.is_counted_earlier(item->key)) continue;
        count_not_begun(item->key);
    }
    if (exhausted_) tally_.count_left(asked_for_.size());
    if (!exhausted_ && !only_) tally_.more_may_be_left();
}

/// With mutex_ held, or alone.
void Pass::count_not_begun(const std::string& item_key) {
    is_done(context_, item_key) ? tally_.count_skipped() : tally_.count_left(1);
}

}  // namespace lockstep
