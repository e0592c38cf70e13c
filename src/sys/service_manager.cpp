#include "sys/service_manager.hpp"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "sys/log.hpp"
#include "sys/shared_library.hpp"

namespace lockstep {

std::optional<ServiceManager> ServiceManager::find() {
    const char* socket = ::getenv("NOTIFY_SOCKET");
    if (socket == nullptr || *socket == '\0') return std::nullopt;
    Notify notify = nullptr;
    if (!libsystemd().look_up("sd_notify", notify)) {
        log::write_now(STDERR_FILENO,
                       "lockstep: systemd is told nothing, for libsystemd.so.0 is not there: a unit of Type=notify "
                       "will not become active\n");
        return std::nullopt;
    }
    int (*watchdog_enabled)(int unset_environment, std::uint64_t* microseconds) = nullptr;
    std::uint64_t microseconds = 0;
    if (!libsystemd().look_up("sd_watchdog_enabled", watchdog_enabled) || watchdog_enabled(0, &microseconds) <= 0)
        microseconds = 0;
    return ServiceManager(notify, Millis{static_cast<Millis::rep>(microseconds / 1000)});
}

void forget_service_manager() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
}

}  // namespace lockstep
