#pragma once
// All steps of one item, in order.

#include <string>

#include "base/error.hpp"
#include "run/pair_executor.hpp"
#include "run/pass_context.hpp"

namespace lockstep {

class ItemCourse {
  public:
    ItemCourse(PassContext& pass, Workbench& bench) : pass_(pass), executor_(pass, bench) {}

    /// Carries out what is not done yet. Between two steps a stop is honoured, unless the item is the unit ("section").
    /// Error: Failure::journal or Failure::lock, after which nothing more may be begun.
    Result<PairEnd> run(const std::string& item_key, const Json& inputs);

    /// The last phase ended because there was nobody to talk to.
    bool found_nobody() const { return executor_.found_nobody(); }

  private:
    PassContext& pass_;
    PairExecutor executor_;
};

/// All steps of the item are done. False where that cannot be read.
bool is_done(const PassContext& pass, const std::string& item_key);

/// The steps that were owed after this pair have been begun, or there are none any more.
Result<void> clear_debt(Journal& journal, const std::string& item_key, const std::string& step);

}  // namespace lockstep
