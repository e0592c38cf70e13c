#include "lock/lock_record.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <type_traits>

#include "base/append_text.hpp"
#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"
#include "lock/standpoint.hpp"
#include "lock/standstill.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

namespace {

int hex_digit(char c) {
    const std::size_t at = kHexDigits.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

std::string unescaped(std::string_view value) {
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const bool escape = value[i] == '\\' && i + 3 < value.size() && value[i + 1] == 'x';
        const int high = escape ? hex_digit(value[i + 2]) : -1;
        const int low = escape ? hex_digit(value[i + 3]) : -1;
        if (high >= 0 && low >= 0) {
            out += static_cast<char>(high * 16 + low);
            i += 3;
        } else {
            out += value[i];
        }
    }
    return out;
}

template <class Number>
Number number(std::string_view value) {
    Number result{};
    std::from_chars(value.data(), value.data() + value.size(), result);
    return result;
}

void parse_line(LockRecord& record, std::string_view name, std::string_view value) {
    const auto read = [&](std::string_view field, std::size_t, auto& target) {
        using Value = std::remove_reference_t<decltype(target)>;
        if (field != name) return;
        if constexpr (std::is_same_v<Value, std::string>) {
            target = unescaped(value);
        } else if constexpr (std::is_same_v<Value, bool>) {
            target = number<int>(value) != 0;
        } else {
            target = number<Value>(value);
        }
    };
    for_each_field(read, record);
}

}  // namespace

RecordFields fields_of(const LockRecord& record) {
    RecordFields fields;
    for_each_field([](std::string_view, std::size_t, auto& view, const auto& value) { view = value; }, fields, record);
    return fields;
}

std::string to_text(const LockRecord& record) {
    RecordText out;
    append_record(out, fields_of(record));
    return std::string(out.view());
}

LockRecord parse_lock_record(std::string_view text) {
    LockRecord record;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        const std::size_t space = line.find(' ');
        if (space != std::string_view::npos) parse_line(record, line.substr(0, space), line.substr(space + 1));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return record;
}

std::optional<LockRecord> read_lock_record(int directory_fd, const std::string& name) {
    // O_NONBLOCK: a fifo of that name must not hold us up.
    const UniqueFd file(::openat(directory_fd, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) return std::nullopt;
    return read_lock_record_of(file.get());
}

LockRecord read_lock_record_of(int file_fd) {
    std::string text;
    for (int attempt = 0; attempt < 20; ++attempt) {
        text.resize(kLongestRecord);
        const ssize_t length = ::pread(file_fd, text.data(), text.size(), 0);
        text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
        // Neither ext4 nor tmpfs makes a read atomic with a write of the same page: hence the check line.
        if (text.empty() || is_whole_record(text)) break;
    }
    return parse_lock_record(text);
}

pid_t pid_to_show(const LockRecord& record) {
    const bool front_lives = record.front_pid > 0 && is_same_process(record.front_pid, record.front_start);
    return front_lives || record.guardian_pid <= 0 ? record.front_pid : record.guardian_pid;
}

namespace {

/// "12s" until then, or since.
std::string distance(std::int64_t then_ms, std::int64_t now_ms) {
    return describe_duration(Millis{std::abs(then_ms - now_ms)});
}

}  // namespace

std::string describe_stop(const LockRecord& record) {
    if (record.stopping_since_ms <= 0) return "";
    const std::string by = record.stopping_by.empty() ? "" : ", asked by " + printable(record.stopping_by);
    std::string text = "stopping since " + format_local(record.stopping_since_ms) + by;
    const std::int64_t now = wall_now_ms();
    if (record.stop_by_ms > now) text += ", " + distance(record.stop_by_ms, now) + " of the grace left";
    if (record.stop_by_ms > 0 && record.stop_by_ms <= now)
        text += ", the grace used up " + distance(record.stop_by_ms, now) + " ago";
    if (record.kill_at_ms > now) text += ", killed by its supervisor in " + distance(record.kill_at_ms, now);
    return text;
}

std::string describe_holder(const LockRecord& record) {
    const pid_t pid = pid_to_show(record);
    std::string text = pid > 0 ? "pid " + std::to_string(pid) : "a process that has not written down its pid yet";
    if (const Standpoint here; here.same_boot(record) && !here.same_pids(record) && pid > 0)
        text += " of another container or pid namespace";
    if (record.since_ms > 0) text += " since " + format_local(record.since_ms);
    if (!record.phase.empty()) {
        text += ", " + printable(record.phase);
    } else if (!record.command.empty()) {
        text += ", running " + printable(record.command);
    }
    if (const std::string stop = describe_stop(record); !stop.empty()) text += ", " + stop;
    if (const std::string still = describe_standstill(record); !still.empty()) text += "; " + still;
    return text;
}

std::string describe_dead_run(const LockRecord& record) {
    if (record.run_id.empty()) return "a run that had not written its record";
    return "run " + printable(record.run_id) + " (" + describe_holder(record) + ")";
}

}  // namespace lockstep
