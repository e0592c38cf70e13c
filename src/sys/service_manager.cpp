#include "sys/service_manager.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "sys/log.hpp"

namespace lockstep {

std::optional<ServiceManager> ServiceManager::find() {
    const char* socket = ::getenv("NOTIFY_SOCKET");
    if (socket == nullptr || *socket == '\0') return std::nullopt;
    void* library = ::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
    const auto notify = library != nullptr ? reinterpret_cast<Notify>(::dlsym(library, "sd_notify")) : nullptr;
    if (notify == nullptr) {
        log::write_now(STDERR_FILENO,
                       "lockstep: systemd is told nothing, for libsystemd.so.0 is not there: a unit of Type=notify "
                       "will not become active\n");
        return std::nullopt;
    }
    using WatchdogEnabled = int (*)(int unset_environment, std::uint64_t* microseconds);
    const auto watchdog_enabled = reinterpret_cast<WatchdogEnabled>(::dlsym(library, "sd_watchdog_enabled"));
    std::uint64_t microseconds = 0;
    if (watchdog_enabled == nullptr || watchdog_enabled(0, &microseconds) <= 0) microseconds = 0;
    return ServiceManager(notify, Millis{static_cast<Millis::rep>(microseconds / 1000)});
}

void forget_service_manager() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
}

}  // namespace lockstep
