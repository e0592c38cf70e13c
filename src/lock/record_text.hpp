#pragma once
// A lock's record as it is written: lines of `name value`. Plain views, so that whoever holds the values copies nothing.

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "base/text_buffer.hpp"

namespace lockstep {

inline constexpr std::size_t kLongestRecord = 4096;
/// The file of an exclusive holder's record.
inline constexpr const char* kRecordName = "record";

/// The file is padded with newlines to a multiple of this, so that a record that is rewritten hardly ever gets longer.
inline constexpr std::size_t kRecordBlock = 1024;

/// One `name value` pair a line, so that a shell script can read it too; what is empty or 0 is left out. At most 4096 bytes,
/// rewritten by one pwrite(2). Control characters and backslashes in a value are written as \xHH.
template <class Text>
struct BasicRecord {
    Text run_id{};
    Text job{};
    pid_t guardian_pid = 0;
    /// Clock ticks since boot, as field 22 of /proc/PID/stat counts them, by which that process had started: a process
    /// that has the pid now and started later is another one (see is_same_process).
    std::uint64_t guardian_start = 0;
    pid_t front_pid = 0;
    std::uint64_t front_start = 0;
    Text boot_id{};
    std::uint64_t pid_namespace = 0;  ///< inode of /proc/self/ns/pid
    Text host{};
    uid_t uid = 0;
    bool passed_on = false;              ///< that run is done, and has left the lock to whoever waits
    std::int64_t since_ms = 0;           ///< wall clock
    std::int64_t stopping_since_ms = 0;  ///< 0: not stopping
    std::int64_t stop_by_ms = 0;         ///< wall clock: the grace is used up then; 0: no bound
    std::int64_t kill_at_ms = 0;         ///< wall clock: the supervisor's SIGKILL; 0: not known
    Text stopping_by{};                  ///< "SIGTERM from pid 1 (uid 0)"
    Text phase{};                        ///< "order o17, second"
    Text journal{};                      ///< path of the journal's database, empty for `exec`
    Text command{};                      ///< exec: the command line, printable
};

/// The names in the file, in its order: calls visit(name, room, value...) for each value, that of each of `records`. A text is
/// cut where its line would take more bytes than `room`.
template <class Visit, class... Record>
void for_each_field(const Visit& visit, Record&... records) {
    visit("run", 256, records.run_id...);
    visit("job", 256, records.job...);
    visit("guardian", 0, records.guardian_pid...);
    visit("guardian_start", 0, records.guardian_start...);
    visit("front", 0, records.front_pid...);
    visit("front_start", 0, records.front_start...);
    visit("boot", 64, records.boot_id...);
    visit("pid_namespace", 0, records.pid_namespace...);
    visit("host", 128, records.host...);
    visit("uid", 0, records.uid...);
    visit("passed_on", 0, records.passed_on...);
    visit("since_ms", 0, records.since_ms...);
    visit("stopping_since_ms", 0, records.stopping_since_ms...);
    visit("stop_by_ms", 0, records.stop_by_ms...);
    visit("kill_at_ms", 0, records.kill_at_ms...);
    visit("stopping_by", 128, records.stopping_by...);
    visit("phase", 256, records.phase...);
    visit("journal", kLongestRecord, records.journal...);
    visit("command", 384, records.command...);
}

/// A record whose texts lie elsewhere.
using RecordFields = BasicRecord<std::string_view>;

using RecordText = TextBuffer<kLongestRecord>;

/// The last line is `check <FNV-1a of all before it>`: a reader can tell a torn record from a whole one.
void append_record(RecordText& out, const RecordFields& fields);

/// Does the record say that its run is done? Whole or not: nothing else has such a line.
bool is_passed_on(std::string_view text);

/// Does the text, apart from newlines behind it, end in a `check` line that is true?
bool is_whole_record(std::string_view text);

}  // namespace lockstep
