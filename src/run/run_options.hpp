#pragma once
// What the command line says about a run, beside the job file.

#include <optional>
#include <string>

#include "base/duration.hpp"
#include "base/exit_status.hpp"
#include "job/job_spec.hpp"
#include "run/supervisor_watch.hpp"
#include "sys/log.hpp"

namespace lockstep {

struct RunOptions {
    bool loop = false;
    std::optional<Millis> wait = Millis{0};  ///< for a busy lock; nullopt: for ever, as a loop does in any case
    bool coalesce = false;                   ///< of all runs that find the job busy only one waits
    Millis pause{0};                         ///< loop: between the end of a pass and the start of the next
    std::optional<std::string> only;
    std::string state_directory;
    int busy_status = to_int(ExitStatus::try_again);
    bool quiet = false;
    AskSupervisor ask_supervisor;  ///< empty: there is none to be asked
    Millis supervisor_limit{0};    ///< the start may wait so long for its answer
    bool strict = false;           ///< a supervisor that waits too short: refuse to begin
    Millis watchdog{0};            ///< the service manager wants to hear from us at least so often; zero: it does not
    bool progress = true;          ///< on a terminal, say every now and then how far the run is
    log::Format log_format = log::Format::text;
    log::Level log_level = log::Level::info;
};

/// As make_run_id() makes it: "20261123T030001Z-7f3a9c21".
std::string new_run_id();

/// "2026-11-23", in the local time zone: $run.date.
std::string run_date_now();

}  // namespace lockstep
