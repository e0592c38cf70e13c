#include "lock/holder_process.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

#include "base/clock.hpp"
#include "lock/standpoint.hpp"

namespace lockstep {

namespace {

UniqueFd open_pidfd(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

/// The start time is looked at after the descriptor was opened: if it fits, the descriptor is of that process, or of one that
/// has ended since, which no signal reaches.
UniqueFd open_process(pid_t pid, std::uint64_t started_by) {
    if (pid <= 0) return {};
    UniqueFd fd = open_pidfd(pid);
    return fd && is_same_process(pid, started_by) ? std::move(fd) : UniqueFd();
}

}  // namespace

Result<HolderProcess> HolderProcess::open(const LockRecord& record) {
    if (!Standpoint().same_pids(record)) {
        return fail(Failure::busy, "it belongs to another container or pid namespace (host " + record.host +
                                       "), where its pid means nothing to us: send SIGTERM there");
    }
    HolderProcess holder;
    holder.guardian_ = open_process(record.guardian_pid, record.guardian_start);
    if (!holder.guardian_) return fail(Failure::busy, "its process has ended meanwhile");
    holder.pid_ = record.front_pid;
    holder.told_ = open_process(record.front_pid, record.front_start);
    if (!holder.told_) {
        holder.pid_ = record.guardian_pid;
        holder.told_ = open_process(record.guardian_pid, record.guardian_start);
    }
    if (!holder.told_) return fail(Failure::busy, "its process has ended meanwhile");
    return holder;
}

Result<void> HolderProcess::ask_to_stop() const {
    if (::syscall(SYS_pidfd_send_signal, told_.get(), SIGTERM, nullptr, 0) == 0 || errno == ESRCH) return {};
    return os_error(Failure::lock, "sending SIGTERM to pid " + std::to_string(pid_));
}

bool HolderProcess::wait_for_end(std::optional<Millis> limit, const sigset_t& mask) const {
    const MonotonicTime deadline = monotonic_now() + limit.value_or(Millis{0});
    while (true) {
        pollfd ended{guardian_.get(), POLLIN, 0};
        const int left = limit ? millis_until(deadline) : 0;
        const timespec pause{left / 1000, static_cast<long>(left % 1000) * 1'000'000};
        if (::ppoll(&ended, 1, limit ? &pause : nullptr, &mask) > 0) return true;
        if (limit && monotonic_now() >= deadline) return false;
    }
}

}  // namespace lockstep
