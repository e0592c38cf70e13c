#pragma once
// Looking into a job's journal from outside, whether or not a run holds it: for `status`, `history` and `resolve`.

#include <memory>

#include "base/duration.hpp"
#include "journal/sqlite_journal.hpp"

namespace lockstep {

/// One pass, as `history` tells it.
struct PassLine {
    std::string run_id;
    std::string command;  ///< "run" or "loop"
    std::string host;
    std::int64_t pass = 0;      ///< of the run, from 1
    std::int64_t ended_ms = 0;  ///< wall clock
    PassTotals totals;
    std::string ended_because;
};

/// The newest pass of a run, which has not ended: the run is at work in it, or was killed there.
struct UnendedPass {
    std::string run_id;
    std::string command;
    std::string host;
    std::int64_t started_ms = 0;  ///< wall clock, of the run
    std::int64_t pass = 1;
    std::int64_t begun_ms = 0;  ///< wall clock
};

/// One decision and what became of it.
struct DecisionLine {
    Decision decision;
    std::int64_t applied_ms = 0;  ///< wall clock; 0: it waits for the next pass
    std::string outcome;          ///< "now first-done", or why it came too late
};

/// What the newest run knew of its job, for who asks by the job's name.
struct NewestRun {
    std::string lock;                    ///< its lock directory; "" if there was no run that wrote it down
    std::optional<Millis> expect_every;  ///< unset: its job file said nothing of it
};

/// A connection of its own, which takes no lock that a run would have to wait for. All errors: Failure::journal.
class JournalReader {
  public:
    /// nullopt: the job has no journal. Creates nothing, and changes no version under a run: an older one is read as it stands,
    /// and one that is too old for that is brought up to date only while no run is at work on it.
    static Result<std::optional<JournalReader>> open(const SqliteJournalOptions& options);

    JournalReader(JournalReader&&) noexcept;
    JournalReader& operator=(JournalReader&&) noexcept;
    ~JournalReader();

    /// A run of this program would bring it to a newer version, and the next pass of an older one could not open it then.
    Result<bool> is_of_older_version();
    /// As for a run: see open_database.hpp.
    Result<void> check_whose_it_is(const std::string& job);

    /// Open, parked, or owing steps; oldest first.
    Result<std::vector<Pair>> unfinished();
    Result<std::vector<UnfinishedPair>> unfinished_in_brief();
    /// Neither done nor unfinished: a pass that lists their items tries them again. Newest first.
    Result<std::vector<Pair>> failed(std::int64_t limit);
    Result<std::int64_t> failed_count();
    /// The pairs of all steps of one item.
    Result<std::vector<Pair>> pairs_of(const std::string& item_key);
    /// Newest first.
    Result<std::vector<PassLine>> passes(std::int64_t limit);
    /// Newest first.
    Result<std::vector<UnendedPass>> unended_passes(std::int64_t limit);
    /// The newest pass that went through all items and left nothing failed, parked, open or undone.
    Result<std::optional<PassLine>> last_success();
    /// Newest first.
    Result<std::vector<DecisionLine>> decisions(std::int64_t limit);
    /// Those that wait for the next pass, however many; newest first.
    Result<std::vector<DecisionLine>> waiting_decisions();
    Result<NewestRun> newest_run();
    /// Pairs that are done.
    Result<std::int64_t> done_count();

    /// Adds decisions, all or none, on the disk when this returns; whoever holds the lock applies them at its next pass. Their
    /// ids are ignored.
    Result<void> decide(const std::vector<Decision>& decisions);

  private:
    struct Parts;
    explicit JournalReader(std::unique_ptr<Parts> parts);
    Result<std::vector<PassLine>> passes_where(std::string_view condition, std::int64_t limit);
    Result<std::vector<DecisionLine>> decisions_where(std::string_view condition, std::int64_t limit);

    std::unique_ptr<Parts> parts_;
};

/// The jobs that have a journal in a state directory (empty: the default one), in alphabetical order.
Result<std::vector<std::string>> jobs_with_journal(const std::string& state_directory);

/// Why there is no journal, for people: "it never ran with this state directory; did you mean ship-orders?"
std::string never_ran(const SqliteJournalOptions& options);

}  // namespace lockstep
