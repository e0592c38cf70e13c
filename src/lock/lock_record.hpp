#pragma once
// What a holder writes into its lock directory. For people, `status` and `unlock`; it decides nothing.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"

namespace lockstep {

/// One `name value` pair a line, so that a shell script can read it too; at most 4096 bytes, rewritten by one pwrite(2).
struct LockRecord {
    std::string run_id;
    std::string job;
    std::string journal;  ///< path of the journal's database, empty for `exec`
    pid_t guardian_pid = 0;
    pid_t front_pid = 0;
    std::uint64_t guardian_start = 0;  ///< start time in clock ticks since boot: field 22 of /proc/PID/stat
    std::uint64_t front_start = 0;
    std::string boot_id;
    std::uint64_t pid_namespace = 0;  ///< inode of /proc/self/ns/pid
    std::string host;
    uid_t uid = 0;
    std::int64_t since_ms = 0;  ///< wall clock
    std::string command;        ///< exec: the command line, printable
    std::string phase;          ///< "order o17, second"
    std::int64_t stopping_since_ms = 0;  ///< 0: not stopping
    std::string stopping_by;    ///< "SIGTERM from pid 1 (uid 0)"
};

std::string to_text(const LockRecord& record);
/// Unknown lines are skipped; a damaged record gives what could be read.
LockRecord parse_lock_record(const std::string& text);

/// "pid 812 since 03:00:01, order o17, second"
std::string describe_holder(const LockRecord& record);

/// Fills in what this process knows of itself: boot id, pid namespace, host, uid, start times, now.
void fill_in_self(LockRecord& record);

/// Start time in clock ticks since boot, or 0 if there is no such process.
std::uint64_t process_start_time(pid_t pid);

}  // namespace lockstep
