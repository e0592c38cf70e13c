#pragma once
// What comes first in every pass: the decisions of people, then what earlier runs left open, one item after the other.

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "run/pair_executor.hpp"
#include "run/pass_context.hpp"

namespace lockstep {

class Recovery {
  public:
    /// What became of an item that was open or parked at the start.
    struct Settling {
        const std::string& item_key;
        PairEnd end;
        bool found_nobody;
        bool settled;  ///< nothing of it is left for a later pass
    };
    using Ended = std::function<void(const Settling&)>;

    Recovery(PassContext& pass, Workbench& bench, Ended ended) : pass_(pass), bench_(bench), ended_(std::move(ended)) {}

    /// A stop is honoured between two items; those not reached are told as open, or as what they are if they are
    /// parked or back off.
    /// Error: Failure::journal or Failure::lock, after which nothing more may be begun.
    Result<void> run();

    /// The item at which an error ended it; empty: that came before the first.
    const std::string& in_hand() const { return in_hand_; }

    /// Items to be begun anew, since a person wants it or a later step lacked a secret, as they were journalled. What their
    /// source lists may be mended: they are for whoever has read it, and are told by nobody here.
    std::map<std::string, Json, std::less<>> take_asked_for() { return std::move(asked_for_); }

  private:
    Result<void> take_decisions();
    PairEnd not_reached(const std::vector<Pair>& pairs) const;
    bool leave_to_source(const std::vector<Pair>& pairs);
    Result<bool> is_settled(const std::string& item_key, PairEnd end);
    Result<PairEnd> settle(const std::vector<Pair>& pairs, bool& found_nobody);
    Result<PairEnd> resume(const Pair& pair, const Json& inputs, bool& found_nobody);

    PassContext& pass_;
    Workbench& bench_;
    Ended ended_;
    std::string in_hand_;
    std::map<std::string, Json, std::less<>> asked_for_;
};

}  // namespace lockstep
