#pragma once
// The exit statuses of lockstep, the numbers of sysexits.h(3) where one fits.

#include "base/error.hpp"

namespace lockstep {

enum class ExitStatus : int {
    ok = 0,                ///< all done, or a loop drained
    some_failed = 1,       ///< some items failed or are parked
    usage = 64,            ///< EX_USAGE
    no_job_file = 66,      ///< EX_NOINPUT: no such job file, or no trace of a job of that name
    unavailable = 69,      ///< EX_UNAVAILABLE: the items, or a secret, could not be had
    guardian_killed = 70,  ///< EX_SOFTWARE: the process that did the work was killed
    os = 71,               ///< EX_OSERR: no process, no pipe, no memory
    lock = 73,             ///< EX_CANTCREAT: the lock cannot be made or is not ours
    journal = 74,          ///< EX_IOERR: the journal cannot be read or written, or stdout cannot be written
    try_again = 75,        ///< EX_TEMPFAIL: lock busy, or drained with work left
    job_file = 78,         ///< EX_CONFIG: the job file is wrong
    cut = 124,             ///< cut at the deadline, as timeout(1) says it
    cannot_execute = 126,  ///< exec: the command was found and could not be started
    not_found = 127,       ///< exec: the command was not found
};

constexpr int to_int(ExitStatus status) { return static_cast<int>(status); }

ExitStatus exit_status_of(Failure failure);

/// Of two results of one run the one that its exit status tells: 78, 74, 73, 124, 1, 75, 0, in this order.
/// Any other status stands between 73 and 124.
ExitStatus graver(ExitStatus a, ExitStatus b);

}  // namespace lockstep
