#pragma once
// One pass over all items, inside the lock: what earlier runs left open is settled, then every item is gone through once.

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/exit_status.hpp"
#include "items/item_source.hpp"
#include "run/pair_executor.hpp"
#include "run/pass_context.hpp"
#include "run/told_records.hpp"

namespace lockstep {

struct PassResult {
    PassTotals totals;
    ExitStatus status = ExitStatus::ok;
    std::string ended_because{kAllItemsDone};  ///< for the log and the history
    std::optional<Error> error;                ///< what ended it early, if it was no stop
    /// Of the failed and parked, and of the records that are no items: an earlier pass told of them.
    std::int64_t told_before = 0;
    std::vector<std::string> failed_items;  ///< keys of the first of those that no earlier pass told of
    std::vector<std::string> parked_items;  ///< of those parked by this pass, likewise
    bool uneventful = false;                ///< busy, or stopped before it began: nobody needs to be told
    bool begun = true;                      ///< false: there was no pass (busy, stopped before, no journal)
};

/// "done 40, failed 1, parked 0, left 0 in 12s", and what else there is to say.
std::string summary_text(const PassTotals& totals, Millis elapsed);

class Pass {
  public:
    Pass(PassContext& context, CommandHost& commands, std::int64_t number)
        : context_(context), commands_(commands), number_(number), only_(context.only) {}

    /// To the end that the journal has of it.
    PassResult run();

  private:
    void go_through_items(Workbench& bench);
    void conclude();
    void settle_unfinished(Workbench& bench);
    void work_together();
    void work(std::size_t worker);
    std::optional<Item> take_item();
    std::optional<Item> take_unlisted();
    void carry_out(const Item& item, Workbench& bench, std::size_t worker);
    void count(PairEnd end, const std::string& item_key);
    void count_bad(const std::string& what);
    void check_tolerated();
    void watch_connections(PairEnd end, bool found_nobody);
    void count_cut_items();
    void end_with(Error error);
    void end_with(ExitStatus status, const std::string& because);
    void count_what_is_left();
    bool is_done(const Item& item) const;
    Workbench make_bench();

    PassContext& context_;
    CommandHost& commands_;
    std::int64_t number_;
    const std::optional<std::string>& only_;

    std::unique_ptr<ItemSource> items_;
    std::mutex mutex_;  ///< guards all of the following
    PassResult result_;
    std::optional<ToldRecords> told_records_;
    bool only_found_ = false;
    bool exhausted_ = false;
    std::int64_t failures_ = 0;                           ///< of this pass's own items
    int found_nobody_ = 0;                                ///< items one after the other that found nobody to talk to
    std::set<std::string, std::less<>> settled_items_;    ///< open or parked at the start: counted already
    std::set<std::string, std::less<>> open_items_;       ///< that may be half done, and are counted
    std::set<std::string, std::less<>> cut_items_;        ///< an error came while they were in hand: not counted yet
    std::map<std::string, Json, std::less<>> asked_for_;  ///< Recovery::take_asked_for(), as far as they have not come yet
};

}  // namespace lockstep
