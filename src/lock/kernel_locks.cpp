#include "lock/kernel_locks.hpp"

#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "sys/whole_file.hpp"

namespace lockstep {

namespace {

/// Cuts the next word off.
std::string_view word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::string_view next = line.substr(0, line.find(' '));
    line.remove_prefix(next.size());
    return next;
}

/// "1: -> FLOCK  ADVISORY  WRITE 812 fe:00:1234 0 EOF", proc(5); "->" marks one who waits.
void read_line(std::string_view line, std::string_view wanted, KernelLocks& locks) {
    word(line);
    std::string_view kind = word(line);
    const bool waits = kind == "->";
    if (waits) kind = word(line);
    word(line);
    const bool shared = word(line) == "READ";
    const std::string_view pid_text = word(line);
    if (word(line) != wanted) return;
    pid_t pid = 0;
    std::from_chars(pid_text.data(), pid_text.data() + pid_text.size(), pid);
    if (kind == "OFDLCK" && shared && !waits) ++locks.marks;
    if (kind != "FLOCK") return;
    (waits ? locks.waiters : locks.holders).push_back(pid);
    if (!waits && shared) locks.shared = true;
}

}  // namespace

KernelLockTable::KernelLockTable() : text_(read_whole_file("/proc/locks", Failure::os, "reading /proc/locks").value_or("")) {}

KernelLocks KernelLockTable::of(const struct stat& info) const {
    std::array<char, 64> wanted{};
    std::snprintf(wanted.data(), wanted.size(), "%02x:%02x:%llu", ::major(info.st_dev), ::minor(info.st_dev),
                  static_cast<unsigned long long>(info.st_ino));
    KernelLocks locks;
    std::string_view rest = text_;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (line.find(wanted.data()) != std::string_view::npos) read_line(line, wanted.data(), locks);
    }
    return locks;
}

}  // namespace lockstep
