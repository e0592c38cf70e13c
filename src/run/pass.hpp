#pragma once
// One pass over all items, inside the lock: what earlier runs left open is settled, then every item is gone through once.

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/exit_status.hpp"
#include "items/item_source.hpp"
#include "run/pair_executor.hpp"
#include "run/pass_context.hpp"
#include "run/pass_tally.hpp"
#include "run/told_records.hpp"
#include "sys/interrupt.hpp"

namespace lockstep {

class Pass {
  public:
    Pass(PassContext& context, CommandHost& commands, std::int64_t number)
        : context_(context), commands_(commands), number_(number), only_(context.only) {}

    /// To the end that the journal has of it.
    PassResult run();

  private:
    void go_through_items(Workbench& bench);
    void leave_items(Workbench& bench);
    Result<void> open_source(Workbench& bench);
    void conclude();
    void settle_unfinished();
    template <typename Work>
    void on_workers(std::size_t tasks, const Work& work);
    void carry_out_items(std::size_t worker);
    std::optional<Item> take_item();
    std::optional<Item> take_unlisted();
    void carry_out(const Item& item, Workbench& bench);
    void look_at(PairEnd end);
    void count_bad(const std::string& what);
    void count_failure();
    bool nobody_answers(PairEnd end, bool found_nobody);
    void end_as_nobody_answers();
    void end_with(Error error);
    void end_with(ExitStatus status, const std::string& because);
    void count_what_is_left();
    void count_not_begun(const std::string& item_key);
    Workbench make_bench(std::size_t worker);

    PassContext& context_;
    CommandHost& commands_;
    std::int64_t number_;
    const std::optional<std::string>& only_;

    std::optional<Interrupt> no_more_items_;  ///< a stop, or the end of the pass: nobody waits for an item any longer
    std::unique_ptr<ItemSource> items_;       ///< guarded by reading_
    std::mutex reading_;                      ///< taken before mutex_, and held while an item is waited for
    std::mutex mutex_;                        ///< guards all of the following
    PassTally tally_;
    std::optional<ToldRecords> told_records_;
    bool only_found_ = false;
    bool exhausted_ = false;                              ///< written with both mutexes held
    std::int64_t failures_ = 0;                           ///< of this pass's own items
    int found_nobody_ = 0;                                ///< items one after the other that found nobody to talk to
    std::map<std::string, Json, std::less<>> asked_for_;  ///< Recovery::take_asked_for(), as far as they have not come yet
};

}  // namespace lockstep
