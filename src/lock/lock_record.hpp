#pragma once
// What a holder writes into its lock directory. For people, `status` and `unlock`; it decides nothing.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "lock/record_text.hpp"

namespace lockstep {

using LockRecord = BasicRecord<std::string>;

/// Views of it.
RecordFields fields_of(const LockRecord& record);
/// The record's lines: see append_record.
std::string to_text(const LockRecord& record);
/// Unknown lines are skipped; a damaged record gives what could be read.
LockRecord parse_lock_record(std::string_view text);

/// The record `name` inside the lock directory `directory_fd`, or nothing if there is none. Takes no lock: a record that is
/// being rewritten at this moment is read again until it is whole; one that stays damaged gives what could be read.
std::optional<LockRecord> read_lock_record(int directory_fd, const std::string& name = kRecordName);
/// The same of the file itself.
LockRecord read_lock_record_of(int file_fd);

/// The front's pid as long as it lives, for that is the one people know, else the guardian's; 0 if none is written down.
pid_t pid_to_show(const LockRecord& record);

/// "stopping since 03:04:00, asked by SIGTERM from pid 1 (uid 0), 12s of the grace left, killed by its supervisor in 8.0s", or
/// "".
std::string describe_stop(const LockRecord& record);

/// "pid 812 since 03:00:01, order o17, second", how long it has been stopping, and that it stands still.
std::string describe_holder(const LockRecord& record);

/// "run 20261124T030001Z-7f3a9c21 (pid 812 since 03:00:01)", of one that is dead: or that it died before it wrote its record.
std::string describe_dead_run(const LockRecord& record);

/// Fills in what this process knows of itself: boot id, pid namespace, host, uid, start times, now; its own pid as the
/// guardian's if none is set. What is set already stays.
void fill_in_self(LockRecord& record);

/// Start time in clock ticks since boot, or 0 if there is no such process or only its zombie is left.
std::uint64_t process_start_time(pid_t pid);

/// The letter of its state as in proc(5), or 0 if there is no such process, only its zombie, or it cannot be read.
char process_state(pid_t pid);

/// Does `pid` still name the process that was there at `started_by` (0: unknown, then any process counts)?
bool is_same_process(pid_t pid, std::uint64_t started_by);

}  // namespace lockstep
