#include "run/stop_requests.hpp"

#include <csignal>

#include "base/duration.hpp"

namespace lockstep {

Result<StopRequests> StopRequests::open(const GuardianLink& link, bool with_children) {
    auto signals = open_signal_fd(link.inherited, with_children);
    if (!signals) return std::unexpected(std::move(signals.error()));
    return StopRequests(std::move(*signals), link.socket.get());
}

std::optional<StopNotice> StopRequests::next() {
    while (const auto notice = read_signal(signals_.get())) {
        if (notice->signal != SIGCHLD) return notice;
    }
    if (front_is_dead_) return std::nullopt;
    const auto notice = read_notice(front_);
    front_is_dead_ = notice && notice->signal == 0;
    return notice;
}

bool RepeatedLine::is_due() {
    const MonotonicTime now = monotonic_now();
    if (said_at_ && now - *said_at_ < Millis{200}) return false;
    said_at_ = now;
    return true;
}

}  // namespace lockstep
