#include "base/exit_status.hpp"

namespace lockstep {

ExitStatus exit_status_of(Failure failure) {
    switch (failure) {
        case Failure::usage: return ExitStatus::usage;
        case Failure::no_job_file: return ExitStatus::no_job_file;
        case Failure::items:
        case Failure::secret: return ExitStatus::unavailable;
        case Failure::os: return ExitStatus::os;
        case Failure::lock: return ExitStatus::lock;
        case Failure::journal:
        case Failure::output: return ExitStatus::journal;
        case Failure::busy: return ExitStatus::try_again;
        case Failure::job_file: return ExitStatus::job_file;
        case Failure::stopped: return ExitStatus::try_again;
    }
    return ExitStatus::os;
}

namespace {

int gravity(ExitStatus status) {
    switch (status) {
        case ExitStatus::job_file: return 7;
        case ExitStatus::journal: return 6;
        case ExitStatus::lock: return 5;
        case ExitStatus::cut: return 3;
        case ExitStatus::some_failed: return 2;
        case ExitStatus::try_again: return 1;
        case ExitStatus::ok: return 0;
        default: return 4;
    }
}

}  // namespace

ExitStatus graver(ExitStatus a, ExitStatus b) { return gravity(a) >= gravity(b) ? a : b; }

}  // namespace lockstep
