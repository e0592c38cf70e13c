#pragma once
// Which records of the batch were found to be no items (a malformed line, a key that was there before) and told of by an
// earlier pass: a batch that is read every minute tells of each once, not at every pass.

#include <string_view>

#include "journal/journal.hpp"

namespace lockstep {

/// Kept in the journal, as digests, as long as there is such a record. No promise: where they cannot be read or written the
/// records are told again. Of more than kMost the rest is told at every pass.
class ToldRecords {
  public:
    static constexpr std::size_t kMost = 10'000;

    explicit ToldRecords(Journal& journal) : journal_(journal), before_(journal.told_records()) {}

    /// Whether an earlier pass told of it, in the same words. From now on it counts as told.
    bool told_before(std::string_view what);

    /// At the end of a pass. @param all_read  every record was seen: what was told before and was not among them is forgotten
    void keep(bool all_read);

  private:
    Journal& journal_;
    const Digests before_;
    Digests now_;
};

}  // namespace lockstep
