#pragma once
// What must be remembered across a crash: which pairs were begun, how far each came, and what the run was.

#include <cstdint>
#include <optional>
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
    int generation = 0;           ///< enters the idempotency key; rises before a new attempt after a refusal or a compensation
    int attempt = 0;              ///< attempts of the present phase
    int pair_attempts = 0;        ///< passes that began this pair
    std::string item;             ///< the item's own JSON, so that it can be finished without its source
    std::string definition;       ///< the step's JSON as it was when the pair began
    std::string request;          ///< the present phase's request, secrets as references
    std::string outputs;          ///< JSON: {"first": {…}, "second": {…}}
    std::string reason;           ///< the last answer or refusal, for people
    std::string run_id;           ///< the run that wrote this state
    std::int64_t begun_ms = 0;    ///< wall clock
    std::int64_t changed_ms = 0;  ///< wall clock
};

/// How long an item of work took and how it ended; a line of `history`.
struct PassTotals {
    std::int64_t begun_ms = 0;  ///< wall clock
    std::int64_t done = 0;
    std::int64_t failed = 0;
    std::int64_t parked = 0;
    std::int64_t left = 0;     ///< not begun because of a stop, a limit or an error
    std::int64_t skipped = 0;  ///< already done in an earlier pass
    std::int64_t open = 0;     ///< left half done by a crash
};

struct RunStart {
    std::string run_id;
    std::int64_t started_ms = 0;
    int guardian_pid = 0;
    std::string host;
    std::string command;  ///< "run" or "loop"
};

/// How much must be true when write() returns.
enum class Durability {
    synced,   ///< on the disk: the next external effect may follow
    ordered,  ///< queued: survives SIGKILL within a millisecond or two, a power cut only with the next synced write
};

/// One job's journal, held exclusively while it is open. Every function may be called from any thread.
class Journal {
  public:
    virtual ~Journal() = default;

    virtual Result<void> begin_run(const RunStart& run) = 0;
    virtual Result<void> end_pass(const std::string& run_id, std::int64_t pass, const PassTotals& totals,
                                  const std::string& ended_because) = 0;

    /// The pair as it was last written, whether or not that is on the disk yet; nullopt if it never began.
    virtual Result<std::optional<Pair>> find(const std::string& item_key, const std::string& step) = 0;

    /// Records a pair's new state. One that may not follow the state on record (may_follow; nothing on record counts as
    /// pending) is a bug of ours, and ends the run. Error: Failure::journal, once and for all: after it every further call
    /// fails with the same error, for what the kernel still holds after a failed fsync is unknown.
    virtual Result<void> write(const Pair& pair, Durability durability) = 0;

    /// All pairs that are open or parked, oldest first.
    virtual Result<std::vector<Pair>> unfinished() = 0;

    /// Everything written so far is on the disk when this returns.
    virtual Result<void> flush() = 0;

    /// The normal way out: everything written is on the disk, and the next run may open it. Idempotent; every other
    /// call fails after it. The destructor is the backup.
    virtual Result<void> close() = 0;

    /// Where it lies, for the log and the lock's record.
    virtual const std::string& place() const = 0;
};

}  // namespace lockstep
