// What a process knows of itself, and what tells it from a later one with the same pid. Plain reads of /proc: the first
// use of each costs 5 to 20 µs, which `exec` feels.

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "base/clock.hpp"
#include "lock/lock_record.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

namespace {

template <std::size_t N>
std::string_view read_file(const char* path, std::array<char, N>& buffer) {
    const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    const ssize_t length = file ? ::read(file.get(), buffer.data(), N) : -1;
    return {buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
}

/// Now, on the clock and in the unit of field 22 of /proc/PID/stat. It costs no system call, while the field itself, read
/// for the guardian and its front, costs more than taking the lock.
std::uint64_t ticks_since_boot() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    static const auto hz = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return static_cast<std::uint64_t>(now.tv_sec) * hz + static_cast<std::uint64_t>(now.tv_nsec) * hz / 1'000'000'000U;
}

std::string boot_id() {
    std::array<char, 64> buffer{};
    const std::string_view text = read_file("/proc/sys/kernel/random/boot_id", buffer);
    return std::string(text.substr(0, text.find('\n')));
}

/// readlink(2) gives "pid:[4026531836]" at a fifth of the price of stat(2), which makes an inode of it.
std::uint64_t pid_namespace() {
    std::array<char, 64> buffer{};
    const ssize_t length = ::readlink("/proc/self/ns/pid", buffer.data(), buffer.size());
    const std::string_view text(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    const std::size_t open = text.find('[');
    std::uint64_t inode = 0;
    if (open != std::string_view::npos) std::from_chars(text.data() + open + 1, text.data() + text.size(), inode);
    return inode;
}

}  // namespace

void fill_in_self(LockRecord& record) {
    if (record.guardian_pid == 0) record.guardian_pid = ::getpid();
    const std::uint64_t now = ticks_since_boot();
    if (record.guardian_start == 0) record.guardian_start = now;
    if (record.front_start == 0 && record.front_pid != 0) record.front_start = now;
    if (record.boot_id.empty()) record.boot_id = boot_id();
    if (record.pid_namespace == 0) record.pid_namespace = pid_namespace();
    if (record.host.empty()) {
        utsname names{};
        if (::uname(&names) == 0) record.host = names.nodename;
    }
    record.uid = ::geteuid();
    if (record.since_ms == 0) record.since_ms = wall_now_ms();
}

std::uint64_t process_start_time(pid_t pid) {
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/stat", static_cast<int>(pid));
    std::array<char, 1024> buffer{};
    std::string_view text = read_file(path.data(), buffer);
    // Field 2 is the program's name in parentheses and may hold anything; the last ')' ends it. What follows is field 3.
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string_view::npos) return 0;
    text.remove_prefix(name_end + 1);
    // A zombie does nothing any more; where nobody reaps it, it stays for ever.
    if (text.starts_with(" Z") || text.starts_with(" X")) return 0;
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

bool is_same_process(pid_t pid, std::uint64_t started_by) {
    const std::uint64_t started = pid > 0 ? process_start_time(pid) : 0;
    return started != 0 && (started_by == 0 || started <= started_by);
}

}  // namespace lockstep
