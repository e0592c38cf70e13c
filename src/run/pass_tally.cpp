#include "run/pass_tally.hpp"

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "sys/log.hpp"

namespace lockstep {

void PassResult::end_with(ExitStatus reason, const std::string& because) {
    if (status == ExitStatus::ok || graver(reason, status) != status) ended_because = because;
    status = graver(reason, status);
}

void PassResult::end_with(Error problem) {
    if (error) return;
    end_with(exit_status_of(problem.failure), problem.text);
    error = std::move(problem);
}

std::string summary_text(const PassResult& result, Millis elapsed) {
    const PassTotals& totals = result.totals;
    std::string text = fmt::format("done {}, failed {}, parked {}, left {}{} in {}", totals.done, totals.failed, totals.parked,
                                   totals.left, result.left_uncounted ? " or more" : "", describe_duration(elapsed));
    if (totals.skipped > 0) text += fmt::format("; {} done before", totals.skipped);
    if (totals.recovered > 0) text += fmt::format("; {} of an earlier run settled", totals.recovered);
    if (totals.open > 0) text += fmt::format("; {} half done", totals.open);
    if (result.not_reached > 0) text += fmt::format(", {} of them not looked at", result.not_reached);
    if (result.not_tried > 0) {
        text += fmt::format("; {} not tried again yet (--only {} does it now)", result.not_tried,
                            shell_quoted_line(result.first_not_tried));
    }
    const std::int64_t others = result.told_before - result.not_tried;
    if (others > 0)
        text += fmt::format("; {} told of before (status tells of items again, --log-level debug of records, too)", others);
    return text;
}

namespace {

void remember(std::vector<std::string>& keys, const std::string& key) {
    constexpr std::size_t kMostNamed = 20;
    if (keys.size() < kMostNamed) keys.push_back(key);
}

bool may_be_half_done(PairEnd end) {
    return end == PairEnd::open || end == PairEnd::cut || end == PairEnd::waits || end == PairEnd::waits_open ||
           end == PairEnd::still_parked || end == PairEnd::not_reached;
}

}  // namespace

PassTally::PassTally() { result_.totals.begun_ms = wall_now_ms(); }

void PassTally::count(PairEnd end, const std::string& item_key) {
    if (may_be_half_done(end)) open_.insert(item_key);
    PassTotals& totals = result_.totals;
    switch (end) {
        case PairEnd::done:
            ++totals.done;
            if (log::shows(log::Level::debug)) {
                log::write(log::Level::debug, printable(item_key) + ": done", {{"item", item_key}, {"outcome", "done"}});
            }
            return;
        case PairEnd::skipped: ++totals.skipped; return;
        case PairEnd::left: ++totals.left; return;
        case PairEnd::waits:
        case PairEnd::waits_open:
            ++(end == PairEnd::waits ? totals.failed : totals.open);
            ++result_.told_before;
            if (result_.not_tried++ == 0) result_.first_not_tried = item_key;
            log::debug("{}: is not tried again yet", printable(item_key));
            return;
        case PairEnd::not_reached:
            ++totals.open;
            ++result_.not_reached;
            return;
        case PairEnd::still_parked:
            ++totals.parked;
            ++result_.told_before;
            return;
        case PairEnd::parked:
            ++totals.parked;
            remember(result_.parked_items, item_key);
            return;
        case PairEnd::open:
            ++totals.open;
            remember(result_.failed_items, item_key);
            return;
        case PairEnd::failed:
            ++totals.failed;
            remember(result_.failed_items, item_key);
            return;
        case PairEnd::cut: ++totals.open; return;
    }
}

void PassTally::count_earlier(PairEnd end, const std::string& item_key, bool settled) {
    earlier_.insert(item_key);
    if (settled) settled_.insert(item_key);
    result_.totals.recovered += settled ? 1 : 0;
    count(end, item_key);
}

void PassTally::count_bad(const std::string& what, bool told_before) {
    ++result_.totals.failed;
    if (told_before) {
        ++result_.told_before;
        log::debug("{}", what);
    } else {
        log::warning("{}", what);
        remember(result_.failed_items, what);
    }
}

void PassTally::count_cut(Journal& journal) {
    const auto open = journal.open_on_record();
    if (!open) return;  // nobody can tell
    PassTotals& totals = result_.totals;
    for (const Pair& pair : *open) {
        if (!open_.insert(pair.item_key).second) continue;
        ++totals.open;
        if (cut_.erase(pair.item_key) > 0 || is_open(pair.state)) continue;
        // Counted by an end that is not on record.
        --(pair.state != PairState::done ? totals.failed : pair.owes_steps ? totals.left : totals.done);
        if (settled_.contains(pair.item_key)) --totals.recovered;
    }
    count_left(cut_.size());
}

void PassTally::judge_items() {
    const PassTotals& totals = result_.totals;
    const bool some_failed = totals.failed + totals.parked + totals.open > result_.not_reached;
    if (some_failed) result_.status = graver(result_.status, ExitStatus::some_failed);
    if ((some_failed || totals.left + result_.not_reached > 0) && result_.ended_because == kAllItemsDone)
        result_.ended_because = "gone through all items";
}

}  // namespace lockstep
