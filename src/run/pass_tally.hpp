#pragma once
// What a pass comes to: every item counted once, and why the pass ended.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/exit_status.hpp"
#include "journal/journal.hpp"
#include "run/pair_executor.hpp"

namespace lockstep {

struct PassResult {
    PassTotals totals;
    ExitStatus status = ExitStatus::ok;
    std::string ended_because{kAllItemsDone};  ///< for the log and the history
    std::optional<Error> error;                ///< what ended it early, if it was no stop
    /// Of the failed and parked, and of the records that are no items: an earlier pass told of them.
    std::int64_t told_before = 0;
    std::int64_t not_tried = 0;             ///< of the failed and half done: left alone until their back-off is over
    std::string first_not_tried;            ///< the key of one of them
    std::int64_t not_reached = 0;           ///< of the half done: the end came before their turn
    std::vector<std::string> failed_items;  ///< of the first of those that no earlier pass told of: their keys; of a record
                                            ///< that is none, what was said
    std::vector<std::string> parked_items;  ///< of those parked by this pass, likewise
    bool uneventful = false;                ///< busy, or stopped before it began: nobody needs to be told
    bool left_uncounted = false;            ///< there may be more left: the source was not read to its end
    bool begun = true;                      ///< false: there was no pass (busy, stopped before, no journal)

    /// The gravest of the reasons is the one that is told.
    void end_with(ExitStatus status, const std::string& because);
    /// Of errors the first.
    void end_with(Error error);
};

/// "done 40, failed 1, parked 0, left 0 in 12s", and what else there is to say.
std::string summary_text(const PassResult& result, Millis elapsed);

/// Not for several threads at once.
class PassTally {
  public:
    /// The pass begins now.
    PassTally();

    /// An item of this pass.
    void count(PairEnd end, const std::string& item_key);
    /// An item that an earlier run left open or parked; whoever lists it again is not to count it again.
    /// @param settled  nothing of it is open any more
    void count_earlier(PairEnd end, const std::string& item_key, bool settled);
    bool is_counted_earlier(const std::string& item_key) const { return earlier_.contains(item_key); }
    /// A record that is no item. @param told_before  by an earlier pass
    void count_bad(const std::string& what, bool told_before);
    /// Items that the pass did not come to.
    void count_skipped() { ++result_.totals.skipped; }
    void count_left(std::size_t items) { result_.totals.left += static_cast<std::int64_t>(items); }

    void more_may_be_left() { result_.left_uncounted = true; }

    /// An error came while this item was in hand; count_cut() tells what became of it.
    void cut(const std::string& item_key) { cut_.insert(item_key); }
    /// To be called once, after an error: what was in hand is counted as the journal has it. After an error of the journal's
    /// the ends written last may be missing in it; those items are counted once more, as half done, for so the next run finds
    /// them.
    void count_cut(Journal& journal);

    void end_with(ExitStatus status, const std::string& because) { result_.end_with(status, because); }
    void end_with(Error error) { result_.end_with(std::move(error)); }

    /// At the end, behind whatever else ended it: an item that is not done makes the status and the reason other than those of
    /// a success.
    void judge_items();
    /// At the end: one item was asked for, and that is no success that anybody waits for.
    void only_one_item() {
        if (result_.ended_because == kAllItemsDone) result_.ended_because = "only the item that was named";
    }

    const PassResult& result() const { return result_; }
    PassResult take() { return std::move(result_); }

  private:
    using Keys = std::set<std::string, std::less<>>;

    PassResult result_;
    Keys earlier_;
    Keys settled_;  // of those
    Keys open_;     // that may be half done, and are counted
    Keys cut_;      // not counted yet
};

}  // namespace lockstep
