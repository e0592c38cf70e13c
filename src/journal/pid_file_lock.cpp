#include "journal/pid_file_lock.hpp"

#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "journal/state_directory.hpp"

namespace lockstep {

namespace {

bool lock_soon(int fd, Millis patience) {
    constexpr Millis kPause{5};
    const MonotonicTime deadline = monotonic_now() + patience;
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || monotonic_now() >= deadline) return false;
        std::this_thread::sleep_for(kPause);
    }
    return true;
}

/// Whoever has the lock writes its pid in the moment after: that is waited for, but not for long.
std::string holder_of(int fd) {
    constexpr int kLooks = 50;
    constexpr Millis kBetween{1};
    std::array<char, 32> text{};
    ssize_t got = ::pread(fd, text.data(), text.size(), 0);
    for (int looks = 1; got == 0 && looks < kLooks; ++looks) {
        std::this_thread::sleep_for(kBetween);
        got = ::pread(fd, text.data(), text.size(), 0);
    }
    const std::string_view pid = trimmed({text.data(), got > 0 ? static_cast<std::size_t>(got) : 0});
    return pid.empty() ? "another process" : "pid " + printable(pid);
}

}  // namespace

Result<PidFileLock> PidFileLock::take(const std::string& path, Millis patience, pid_t pid) {
    auto fd = open_own_file(path);
    if (!fd) return std::unexpected(std::move(fd.error()));
    if (!lock_soon(fd->get(), patience)) {
        if (errno != EWOULDBLOCK) return os_error(Failure::journal, "locking " + path);
        return fail(Failure::busy, holder_of(fd->get()));
    }
    const std::string text = std::to_string(pid) + "\n";
    (void)!::ftruncate(fd->get(), 0);
    (void)!::pwrite(fd->get(), text.data(), text.size(), 0);
    return PidFileLock(std::move(*fd));
}

PidFileLock::~PidFileLock() {
    if (fd_) (void)!::ftruncate(fd_.get(), 0);
}

}  // namespace lockstep
