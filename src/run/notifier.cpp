#include "run/notifier.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace lockstep {

void Notifier::stopping(std::optional<MonotonicTime> bound) {
    stopping_ = true;
    bound_ = bound;
    next_ = {};
}

std::string Notifier::message(MonotonicTime now, const std::string& status) {
    next_ = now + period_;
    std::string text;
    if (!ready_said_) text += "READY=1\n";
    ready_said_ = true;
    if (watched_) text += "WATCHDOG=1\n";
    if (stopping_) {
        if (!stopping_said_) text += "STOPPING=1\n";
        stopping_said_ = true;
        // The manager never shortens what it has granted, so the last of these may reach beyond the bound.
        const bool within = !bound_ || now < *bound_;
        if (within) text += "EXTEND_TIMEOUT_USEC=" + std::to_string(kExtension.count() * 1000) + "\n";
    }
    if (status != last_status_) text += "STATUS=" + printable(status, 200) + "\n";
    last_status_ = status;
    return text;
}

}  // namespace lockstep
