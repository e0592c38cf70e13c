// What tells a process from a later one with the same pid.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "base/clock.hpp"
#include "lock/lock_record.hpp"
#include "lock/own_identity.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

namespace {

template <std::size_t N>
std::string_view read_file(const char* path, std::array<char, N>& buffer) {
    const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    const ssize_t length = file ? ::read(file.get(), buffer.data(), N) : -1;
    return {buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
}

using StatBuffer = std::array<char, 1024>;

/// What follows field 2 of /proc/PID/stat: " S 1 …"; nothing of a zombie, or if it cannot be read.
std::string_view read_stat(pid_t pid, StatBuffer& buffer) {
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/stat", static_cast<int>(pid));
    std::string_view text = read_file(path.data(), buffer);
    // Field 2 is the program's name in parentheses and may hold anything; the last ')' ends it. What follows is field 3.
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string_view::npos) return {};
    text.remove_prefix(name_end + 1);
    // A zombie does nothing any more; where nobody reaps it, it stays for ever.
    return text.starts_with(" Z") || text.starts_with(" X") ? std::string_view() : text;
}

}  // namespace

void fill_in_self(LockRecord& record) {
    const OwnIdentity self = own_identity();
    if (record.guardian_pid == 0) record.guardian_pid = ::getpid();
    if (record.guardian_start == 0) record.guardian_start = self.ticks_since_boot;
    if (record.front_start == 0 && record.front_pid != 0) record.front_start = self.ticks_since_boot;
    if (record.boot_id.empty()) record.boot_id = self.scope.boot_id.view();
    if (record.pid_namespace == 0) record.pid_namespace = self.scope.pid_namespace;
    if (record.host.empty()) record.host = self.host.view();
    record.uid = self.uid;
    if (record.since_ms == 0) record.since_ms = wall_now_ms();
}

std::uint64_t process_start_time(pid_t pid) {
    StatBuffer buffer{};
    std::string_view text = read_stat(pid, buffer);
    for (int field = 3; field <= 22; ++field) {
        const std::size_t start = text.find_first_not_of(' ');
        if (start == std::string_view::npos) return 0;
        text.remove_prefix(start);
        if (field < 22) text.remove_prefix(std::min(text.find(' '), text.size()));
    }
    std::uint64_t ticks = 0;
    std::from_chars(text.data(), text.data() + text.size(), ticks);
    return ticks;
}

char process_state(pid_t pid) {
    StatBuffer buffer{};
    const std::string_view text = read_stat(pid, buffer);
    return text.size() > 1 ? text[1] : '\0';
}

bool is_same_process(pid_t pid, std::uint64_t started_by) {
    const std::uint64_t started = pid > 0 ? process_start_time(pid) : 0;
    return started != 0 && (started_by == 0 || started <= started_by);
}

}  // namespace lockstep
