#pragma once
// The service manager that started this process: sd_notify(3), through libsystemd, which is loaded only where there is
// somebody to talk to.

#include <optional>
#include <string>

#include "base/duration.hpp"

namespace lockstep {

class ServiceManager {
  public:
    /// nullopt without NOTIFY_SOCKET in the environment. Where there is one, but no libsystemd, a line on stderr says so.
    static std::optional<ServiceManager> find();

    /// Sends assignments, one a line: "READY=1\nSTATUS=…". A manager that does not listen makes no difference to us.
    void tell(const std::string& state) const noexcept { notify_(0, state.c_str()); }

    /// How often WATCHDOG=1 is expected at least (sd_watchdog_enabled(3)); zero: not at all.
    Millis watchdog() const { return watchdog_; }

  private:
    using Notify = int (*)(int unset_environment, const char* state);
    ServiceManager(Notify notify, Millis watchdog) : notify_(notify), watchdog_(watchdog) {}

    Notify notify_;
    Millis watchdog_;
};

/// Takes away what would let our commands speak to the manager in our name. To be called before any thread exists.
void forget_service_manager();

}  // namespace lockstep
