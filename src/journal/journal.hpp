#pragma once
// What must be remembered across a crash: which pairs were begun, how far each came, and what the run was.

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "journal/pair_state.hpp"

namespace lockstep {

/// A pair as the journal keeps it: one row per item key and step of a job.
struct Pair {
    std::string item_key;
    std::string step;
    PairState state = PairState::pending;
    int generation = 0;      ///< enters the idempotency key; rises before a new attempt after a refusal or a compensation
    int attempt = 0;         ///< attempts of the present phase
    int pair_attempts = 0;   ///< passes that tried this pair
    std::string item;        ///< the item's own JSON, so that it can be finished without its source
    std::string definition;  ///< the step's JSON as it was when the pair began
    std::string request;     ///< the present phase's request, secrets as references
    std::string outputs;     ///< JSON: {"first": {…}, "second": {…}}
    PairState parked_from = PairState::pending;  ///< what it was parked in; pending unless state is parked
    /// Wall clock: since when the present phase may have taken effect; retention and parkAfter count from it. Of a pending pair
    /// that of an earlier phase, or 0: nothing of it was ever sent.
    std::int64_t phase_begun_ms = 0;
    std::int64_t not_before_ms = 0;  ///< wall clock: back-off between passes; 0: at once
    bool owes_steps = false;         ///< the item is to be gone on with although this pair is not open
    std::string reason;              ///< the last answer or refusal, for people
    std::string run_id;              ///< the run that began it: $run.id in all its phases and probes, whoever goes on with it
    std::string run_date;            ///< likewise $run.date; "" in journals before version 8
    std::int64_t begun_ms = 0;       ///< wall clock
    std::int64_t changed_ms = 0;     ///< wall clock
};

/// For the next pass to see to, or for a person.
inline bool is_unfinished(const Pair& pair) {
    return is_open(pair.state) || pair.state == PairState::parked || pair.owes_steps;
}

/// An unfinished pair, as much as must be known of it until its turn comes: there may be a great many of them.
struct UnfinishedPair {
    std::string item_key;
    std::string step;
    PairState state = PairState::pending;
    std::int64_t not_before_ms = 0;
};

/// Why a pass ended that went through all items and left none of them failed, parked, open or undone.
inline constexpr std::string_view kAllItemsDone = "all items done";

/// What a pass came to, in items; a line of `history`.
struct PassTotals {
    std::int64_t begun_ms = 0;  ///< wall clock
    std::int64_t done = 0;
    std::int64_t failed = 0;
    std::int64_t parked = 0;
    std::int64_t left = 0;       ///< not begun because of a stop, a limit or an error
    std::int64_t skipped = 0;    ///< already done in an earlier pass
    std::int64_t open = 0;       ///< left half done
    std::int64_t recovered = 0;  ///< what earlier passes left open and this one brought to an end; counted above, too
};

/// What a person decided about a pair: `resolve`.
enum class DecisionVerb : std::uint8_t { applied, not_applied, compensate, again, park };
/// "not-applied", as the journal stores it and the command line spells it.
std::string_view to_string(DecisionVerb verb);
std::optional<DecisionVerb> decision_verb_from(std::string_view name);

struct Decision {
    std::int64_t id = 0;
    std::string item_key;
    std::string step;
    DecisionVerb verb = DecisionVerb::again;
    std::string outputs;          ///< JSON object: outputs of the phase that is said to be applied
    std::string by;               ///< who, for people
    std::int64_t decided_ms = 0;  ///< wall clock
    std::string definition;       ///< the pair goes on under this one; "": under its own
    std::string seen;             ///< where the pair stood when it was decided (stand_of); "": not on record
};

struct RunStart {
    std::string run_id;
    std::int64_t started_ms = 0;
    int guardian_pid = 0;
    std::string host;
    std::string command;               ///< "run" or "loop"
    std::string lock;                  ///< absolute path of the lock directory that it runs under
    std::int64_t expect_every_ms = 0;  ///< of the job file, for who asks where that is not at hand; 0: nothing is expected
    std::string job{};                 ///< whose journal it is
    std::int64_t pass = 1;             ///< the one that begins now
    std::int64_t pass_begun_ms = 0;    ///< wall clock
};

/// Of records that are no items: what passes told of each.
using Digests = std::set<std::string, std::less<>>;

/// How much must be true when write() returns.
enum class Durability {
    synced,   ///< on the disk: the next external effect may follow
    ordered,  ///< queued: survives SIGKILL within a millisecond or two, a power cut only with the next synced write
};

/// One job's journal, held exclusively while it is open. Every function may be called from any thread.
class Journal {
  public:
    virtual ~Journal() = default;

    /// What history tells of each pass of it. A run that is known already is written anew: say it at every pass.
    virtual Result<void> begin_run(const RunStart& run) = 0;
    virtual Result<void> end_pass(const std::string& run_id, std::int64_t pass, const PassTotals& totals,
                                  const std::string& ended_because) = 0;

    /// The pair as it was last written, whether or not that is on the disk yet; nullopt if it never began.
    virtual Result<std::optional<Pair>> find(const std::string& item_key, const std::string& step) = 0;

    /// Records a pair's new state. One that may not follow the state on record (may_follow; nothing on record counts as
    /// pending) is a bug of ours, and ends the run. Error: Failure::journal, once and for all: after it every further call
    /// fails with the same error, for what the kernel still holds after a failed fsync is unknown.
    virtual Result<void> write(const Pair& pair, Durability durability) = 0;

    /// Decisions that no pass has applied yet, in the order in which they were made.
    virtual Result<std::vector<Decision>> pending_decisions() = 0;

    /// Writes the pair's new state and marks the decision as applied, in one transaction, which is on the disk after flush().
    /// Without a pair it is only marked: it came too late. `outcome` says so for people.
    virtual Result<void> apply(const Decision& decision, const Pair* pair, const std::string& outcome) = 0;

    /// The pairs of all steps of one item, in the order in which they were begun.
    virtual Result<std::vector<Pair>> pairs_of(const std::string& item_key) = 0;

    /// All pairs that are open, parked or owe steps, oldest first.
    virtual Result<std::vector<UnfinishedPair>> unfinished() = 0;

    /// What was last written of the pairs that the next run will find open. After an error, which every other call returns, it
    /// still tells as far as can be told: the end of a pair may have been written, and not be on record.
    virtual Result<std::vector<Pair>> open_on_record() = 0;

    /// What keep_told_records() was last given by an earlier run; nothing where that cannot be read.
    virtual Digests told_records() = 0;
    /// No promise: written when the journal is closed, after everything else, and what cannot be written then is forgotten.
    virtual void keep_told_records(Digests digests) = 0;

    /// Everything written so far is on the disk when this returns.
    virtual Result<void> flush() = 0;

    /// The normal way out: everything written is on the disk, and the next run may open it. Idempotent; every other
    /// call fails after it. The destructor is the backup.
    virtual Result<void> close() = 0;
};

}  // namespace lockstep
