#pragma once
// What the guardian lets the service manager know, through the front: only the main process of a unit is listened to
// (systemd.service(5), NotifyAccess=main). A clock and a text go in, a message comes out; the loop is the caller's.

#include <algorithm>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/duration.hpp"

namespace lockstep {

class Notifier {
  public:
    /// @param watchdog  WATCHDOG=1 is wanted at least so often; zero: not at all
    explicit Notifier(Millis watchdog) : period_(watchdog > Millis{0} ? std::min(kPeriod, watchdog / 3) : kPeriod) {
        watched_ = watchdog > Millis{0};
    }

    /// When message() is to be asked for next.
    MonotonicTime next() const { return next_; }

    /// A stop request was taken: from now on every message asks for more time, until `bound` (nullopt: as long as it takes).
    void stopping(std::optional<MonotonicTime> bound);

    /// What is to be said now: the first time READY=1, later WATCHDOG=1, STATUS= where it has changed, EXTEND_TIMEOUT_USEC=
    /// while stopping; "" when there is nothing to say.
    std::string message(MonotonicTime now, const std::string& status);

  private:
    static constexpr Millis kPeriod{1000};
    /// Each message asks for so much from then on: enough for a machine that is too busy to run us for a while.
    static constexpr Millis kExtension{5000};

    Millis period_;
    bool watched_ = false;
    bool ready_said_ = false;
    bool stopping_ = false;
    bool stopping_said_ = false;
    std::optional<MonotonicTime> bound_;
    std::string last_status_;
    MonotonicTime next_{};
};

}  // namespace lockstep
