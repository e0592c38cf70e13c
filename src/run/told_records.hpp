#pragma once
// Which records of the batch were found to be no items (a malformed line, a key that was there before) and told of by an
// earlier pass: a batch that is read every minute tells of each once, not at every pass.

#include <set>
#include <string>
#include <string_view>

namespace lockstep {

/// Kept as digests in a file beside the journal, which is there as long as there is such a record. No promise: where it cannot
/// be read or written the records are told again. Of more than kMost the rest is told at every pass.
class ToldRecords {
  public:
    static constexpr std::size_t kMost = 10'000;

    /// @param path  "<job>.told"
    explicit ToldRecords(std::string path);

    /// Whether an earlier pass told of it, in the same words. From now on it counts as told.
    bool told_before(std::string_view what);

    /// At the end of a pass. @param all_read  every record was seen: what was told before and was not among them is forgotten
    void keep(bool all_read);

  private:
    std::string path_;
    std::set<std::string, std::less<>> before_;
    std::set<std::string, std::less<>> now_;
};

}  // namespace lockstep
