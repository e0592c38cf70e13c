#include "run/command_table.hpp"

#include <csignal>

namespace lockstep {

void CommandTable::add(pid_t pid) noexcept {
    for (auto& slot : pids_) {
        pid_t expected = 0;
        if (slot.compare_exchange_strong(expected, pid)) return;
    }
}

void CommandTable::remove(pid_t pid) noexcept {
    for (auto& slot : pids_) {
        pid_t expected = pid;
        if (slot.compare_exchange_strong(expected, 0)) return;
    }
}

bool CommandTable::contains(pid_t pid) const noexcept {
    for (const auto& slot : pids_) {
        if (slot.load() == pid) return true;
    }
    return false;
}

bool CommandTable::empty() const noexcept {
    for (const auto& slot : pids_) {
        if (slot.load() != 0) return false;
    }
    return true;
}

std::size_t CommandTable::read(std::span<pid_t> pids) const noexcept {
    std::size_t count = 0;
    for (const auto& slot : pids_) {
        const pid_t pid = slot.load();
        if (pid != 0 && count < pids.size()) pids[count++] = pid;
    }
    return count;
}

void CommandTable::signal_groups(int signal) const noexcept {
    for (const auto& slot : pids_) {
        if (const pid_t pid = slot.load(); pid != 0) ::kill(-pid, signal);
    }
}

}  // namespace lockstep
