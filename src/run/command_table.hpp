#pragma once
// Which commands run, known to both processes.

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <span>

namespace lockstep {

/// The commands that run right now, in memory that front and guardian share: if the guardian is killed, the front still knows
/// which orphans to wait for.
class CommandTable {
  public:
    void add(pid_t pid) noexcept;
    void remove(pid_t pid) noexcept;
    bool contains(pid_t pid) const noexcept;
    bool empty() const noexcept;
    /// Those that run, as many of them as there is room for. @return how many that are
    std::size_t read(std::span<pid_t> pids) const noexcept;
    /// To the process group of each.
    void signal_groups(int signal) const noexcept;

    /// More commands at once than this are run all the same; only the front would not wait for them.
    static constexpr std::size_t kSlots = 255;

  private:
    std::array<std::atomic<pid_t>, kSlots> pids_;  // zero from the beginning
    static_assert(std::atomic<pid_t>::is_always_lock_free);
};

}  // namespace lockstep
