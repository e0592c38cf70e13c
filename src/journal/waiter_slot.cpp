#include "journal/waiter_slot.hpp"

#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include "base/text.hpp"
#include "journal/sqlite_journal.hpp"
#include "journal/state_directory.hpp"

namespace lockstep {

namespace {

/// Whoever has the lock writes it in the moment after: it is waited for, but not for long.
std::string written_pid(int fd) {
    constexpr int kLooks = 50;
    constexpr std::chrono::milliseconds kBetween{1};
    std::array<char, 32> text{};
    ssize_t got = ::pread(fd, text.data(), text.size(), 0);
    for (int looks = 1; got == 0 && looks < kLooks; ++looks) {
        std::this_thread::sleep_for(kBetween);
        got = ::pread(fd, text.data(), text.size(), 0);
    }
    std::string pid(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    return pid.empty() ? "another run" : "pid " + printable(pid);
}

}  // namespace

Result<WaiterSlot> WaiterSlot::take(const std::string& state_directory, const std::string& job) {
    const auto directory = state_directory.empty() ? default_state_directory() : Result<std::string>(state_directory);
    if (!directory) return std::unexpected(directory.error());
    if (auto made = prepare_state_directory(*directory); !made) return std::unexpected(made.error());
    // Never unlinked, as `<job>.run` is not: who has it open would lock an inode that no path leads to.
    auto fd = open_own_file(*directory + "/" + job + ".waiter");
    if (!fd) return std::unexpected(std::move(fd.error()));
    if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return os_error(Failure::journal, "locking " + *directory + "/" + job + ".waiter");
        return fail(Failure::busy,
                    "busy: " + written_pid(fd->get()) + " waits for it already, and its pass will do for this one, too");
    }
    // For people only.
    const std::string pid = std::to_string(::getppid()) + "\n";
    (void)!::ftruncate(fd->get(), 0);
    (void)!::pwrite(fd->get(), pid.data(), pid.size(), 0);
    return WaiterSlot(std::move(*fd));
}

}  // namespace lockstep
