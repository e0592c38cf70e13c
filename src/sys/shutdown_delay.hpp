#pragma once
// The machine's shutdown and us: systemd-logind lets programs delay it for some seconds (systemd-inhibit(1), a "delay" lock;
// InhibitDelayMaxSec in logind.conf(5)) and says when it is about to begin. Through libsystemd, loaded only where logind is.

#include <atomic>
#include <string>

#include "sys/interrupt.hpp"

namespace lockstep {

class ShutdownDelay {
  public:
    /// nullptr where there is no logind, or no way to speak to it. Nobody ever waits for its answers but a thread of its own,
    /// and so the object lives until the process ends.
    /// @param why  what people are shown by systemd-inhibit --list
    static ShutdownDelay* start(std::string why);

    /// Delays a shutdown from soon after this call until soon after hold(false), or the end of the process.
    void hold(bool wanted) noexcept;

    /// Fired when a shutdown is about to begin.
    const Interrupt& announced() const { return announced_; }

  private:
    class Bus;
    ShutdownDelay(std::string why, Bell changed, Interrupt announced);
    void run();

    const std::string why_;
    Bell changed_;
    Interrupt announced_;
    std::atomic<bool> wanted_ = false;
};

}  // namespace lockstep
