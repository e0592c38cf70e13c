#pragma once
// What comes first in every pass: the decisions of people, then what earlier runs left open, as many items at a time as may be.

#include <atomic>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "run/pair_executor.hpp"
#include "run/pass_context.hpp"
#include "run/unfinished_items.hpp"

namespace lockstep {

/// find() first, by one thread; then each worker takes items and settles them.
class Recovery {
  public:
    /// What became of it.
    struct Settled {
        PairEnd end = PairEnd::open;
        bool found_nobody = false;
        bool nothing_left = false;  ///< for a later pass
    };

    explicit Recovery(PassContext& pass) : pass_(pass) {}

    /// Applies the decisions, and looks for what is unfinished. Error: Failure::journal.
    Result<void> find();
    std::size_t count() const { return items_.size(); }

    /// The next one: the one that is wanted (--only), then the oldest first; nullptr: there is none, or somebody gave up. For
    /// several threads at once.
    const UnfinishedItem* take();
    /// After an error: nobody takes a further one.
    void give_up() { next_ = items_.size(); }

    /// Nothing more is settled in this pass, though it goes on. For several threads at once.
    void leave_the_rest() { leaves_the_rest_ = true; }

    /// Does what can be done for it in this pass. A stop is honoured before an item is begun: then it is told as not reached,
    /// or as what it is if it is parked or backs off. For several threads at once.
    /// Error: Failure::journal or Failure::lock, after which nothing more may be begun.
    Result<Settled> settle(const UnfinishedItem& item, Workbench& bench);

    /// Items to be begun anew, since a person wants it or a later step lacked a secret, as they were journalled. What their
    /// source lists may be mended: they are for whoever has read it, and are not among those that are taken.
    std::map<std::string, Json, std::less<>> take_asked_for() { return std::move(asked_for_); }

  private:
    Result<void> take_decisions();
    PairEnd not_reached(const UnfinishedItem& item) const;
    Result<bool> leave_to_source(const UnfinishedItem& item);
    Result<std::vector<Pair>> pairs_of(const UnfinishedItem& item);
    Result<bool> is_settled(const std::string& item_key, PairEnd end);
    Result<PairEnd> go_on_with(const UnfinishedItem& item, Workbench& bench, bool& found_nobody);
    Result<PairEnd> resume(const Pair& pair, const Json& inputs, Workbench& bench, bool& found_nobody);

    PassContext& pass_;
    std::vector<UnfinishedItem> items_;
    std::atomic<std::size_t> next_ = 0;
    std::atomic<bool> leaves_the_rest_ = false;
    std::map<std::string, Json, std::less<>> asked_for_;
};

}  // namespace lockstep
