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

/// The values of LockRecord (lock_record.hpp tells what each means). What is empty or 0 is left out.
struct RecordFields {
    std::string_view run_id;
    std::string_view job;
    pid_t guardian_pid = 0;
    std::uint64_t guardian_start = 0;
    pid_t front_pid = 0;
    std::uint64_t front_start = 0;
    std::string_view boot_id;
    std::uint64_t pid_namespace = 0;
    std::string_view host;
    uid_t uid = 0;
    std::int64_t since_ms = 0;
    std::int64_t stopping_since_ms = 0;
    std::string_view stopping_by;
    std::int64_t stop_by_ms = 0;
    std::int64_t kill_at_ms = 0;
    std::string_view phase;
    std::string_view journal;
    std::string_view command;
    bool passed_on = false;
};

using RecordText = TextBuffer<kLongestRecord>;

/// Control characters and backslashes in a value are written as \xHH; the longest values are cut where the whole would not
/// fit. The last line is `check <FNV-1a of all before it>`: a reader can tell a torn record from a whole one.
void append_record(RecordText& out, const RecordFields& fields);

/// Does the record say that its run is done? Whole or not: nothing else has such a line.
bool is_passed_on(std::string_view text);

/// Does the text, apart from newlines behind it, end in a `check` line that is true?
bool is_whole_record(std::string_view text);

}  // namespace lockstep
