#include "run/stop_requests.hpp"

#include <csignal>

#include "base/duration.hpp"

namespace lockstep {

Result<StopRequests> StopRequests::open(const GuardianLink& link, bool with_children) {
    auto signals = open_signal_fd(link.inherited, with_children);
    if (!signals) return std::unexpected(std::move(signals.error()));
    return StopRequests(std::move(*signals), link.socket.get());
}

std::optional<StopRequest> StopRequests::next() {
    while (const auto request = read_signal(signals_.get())) {
        if (request->signal != SIGCHLD) return request;
    }
    if (front_is_dead_) return std::nullopt;
    const auto request = receive_request(front_);
    front_is_dead_ = request && request->signal == 0;
    return request;
}

bool RepeatedLine::is_due() {
    const MonotonicTime now = monotonic_now();
    if (said_at_ && now - *said_at_ < Millis{200}) return false;
    said_at_ = now;
    return true;
}

}  // namespace lockstep
