#pragma once
// `lockstep status`: who holds a job's lock, and what is not finished. Takes no lock, and creates nothing.

#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "job/job_spec.hpp"
#include "journal/journal_reader.hpp"
#include "lock/lock_view.hpp"
#include "report/expectation.hpp"

namespace lockstep {

struct StatusQuery {
    std::string job;
    std::string lock;                                   ///< as LockPath::open takes it
    std::string state_directory;                        ///< empty: the default one
    bool has_file = false;                              ///< is the job file at hand? Else its newest run tells what it said
    std::optional<Millis> expect_every = std::nullopt;  ///< of the job file
    std::vector<StepSpec> steps = {};                   ///< of the job file
};

/// There may be thousands, and one cause for all of them.
inline constexpr std::int64_t kFailedShown = 20;

struct JobStatus {
    std::string job;
    std::string state_directory;  ///< as it was asked for
    LockView lock;
    std::string journal;       ///< where it lies, or would lie
    bool has_journal = false;  ///< false: the job never ran with this state directory
    std::int64_t done = 0;     ///< pairs
    std::optional<PassLine> last_success;
    std::optional<PassLine> last_pass;  ///< the newest that has ended
    std::optional<Millis> expect_every;
    std::vector<StepSpec> steps;  ///< of the job file, if it is at hand
    std::vector<Pair> parked;
    std::vector<Pair> open;
    std::vector<Pair> failed;           ///< the newest kFailedShown of them
    std::int64_t failed_count = 0;      ///< of all
    std::vector<DecisionLine> waiting;  ///< decisions that the next pass applies
};

/// Errors: Failure::journal.
Result<JobStatus> job_status(const StatusQuery& query);

Expectation expectation_of(const JobStatus& status);

std::string status_text(const JobStatus& status, std::int64_t now_ms);
/// The keys are those of the manual; they stay.
Json status_json(const JobStatus& status, std::int64_t now_ms);

}  // namespace lockstep
