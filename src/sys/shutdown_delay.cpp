#include "sys/shutdown_delay.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <thread>

#include "sys/log.hpp"
#include "sys/shared_library.hpp"

namespace lockstep {

namespace {

constexpr const char* kLogind = "org.freedesktop.login1";
constexpr const char* kObject = "/org/freedesktop/login1";
constexpr const char* kManager = "org.freedesktop.login1.Manager";
constexpr std::uint64_t kPatience = 5'000'000;  // µs, for an answer

// Of <systemd/sd-bus.h>: libsystemd.so.0 has kept these since it exists.
struct sd_bus;
struct sd_bus_message;
struct sd_bus_error;
using Handler = int (*)(sd_bus_message* message, void* context, sd_bus_error* error);

struct BusApi {
    int (*open_system)(sd_bus** bus);
    int (*set_method_call_timeout)(sd_bus* bus, std::uint64_t microseconds);
    int (*match_signal)(sd_bus* bus, void* slot, const char* sender, const char* path, const char* interface,
                        const char* member, Handler handler, void* context);
    int (*call_method)(sd_bus* bus, const char* destination, const char* path, const char* interface, const char* member,
                       sd_bus_error* error, sd_bus_message** reply, const char* types, ...);
    int (*message_read)(sd_bus_message* message, const char* types, ...);
    sd_bus_message* (*message_unref)(sd_bus_message* message);
    int (*process)(sd_bus* bus, sd_bus_message** message);
    int (*get_fd)(sd_bus* bus);
    sd_bus* (*flush_close_unref)(sd_bus* bus);
};

bool look_up_all(BusApi& api) {
    const SharedLibrary& library = libsystemd();
    return library.look_up("sd_bus_open_system", api.open_system) &&
           library.look_up("sd_bus_set_method_call_timeout", api.set_method_call_timeout) &&
           library.look_up("sd_bus_match_signal", api.match_signal) && library.look_up("sd_bus_call_method", api.call_method) &&
           library.look_up("sd_bus_message_read", api.message_read) &&
           library.look_up("sd_bus_message_unref", api.message_unref) && library.look_up("sd_bus_process", api.process) &&
           library.look_up("sd_bus_get_fd", api.get_fd) && library.look_up("sd_bus_flush_close_unref", api.flush_close_unref);
}

/// What sd_booted(3) is for systemd, this is for logind: it makes the directory when it starts. A container's image may have
/// the directory of another machine's, so there must be a bus, too, where sd_bus_open_system(3) looks for it.
bool may_have_logind() {
    return ::access("/run/systemd/seats", F_OK) == 0 &&
           (::getenv("DBUS_SYSTEM_BUS_ADDRESS") != nullptr || ::access("/run/dbus/system_bus_socket", F_OK) == 0);
}

}  // namespace

/// The connection; used by the thread alone.
class ShutdownDelay::Bus {
  public:
    Bus(const BusApi& api, const std::string& why, Interrupt& announced) : api_(api), why_(why), announced_(announced) {}
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;
    ~Bus() {
        if (bus_ != nullptr) api_.flush_close_unref(bus_);
    }

    bool open() {
        if (api_.open_system(&bus_) < 0) return false;
        api_.set_method_call_timeout(bus_, kPatience);
        return api_.match_signal(bus_, nullptr, kLogind, kObject, kManager, "PrepareForShutdown", on_signal, this) >= 0;
    }

    void hold(bool wanted) {
        if (!wanted) return delay_.reset();
        if (delay_) return;
        sd_bus_message* reply = nullptr;
        int fd = -1;
        if (api_.call_method(bus_, kLogind, kObject, kManager, "Inhibit", nullptr, &reply, "ssss", "shutdown", "lockstep",
                             why_.c_str(), "delay") >= 0 &&
            api_.message_read(reply, "h", &fd) > 0) {
            delay_.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));  // the message's own goes with it
        }
        if (reply != nullptr) api_.message_unref(reply);
        if (!delay_) log::debug("logind does not let us delay a shutdown");
    }

    /// @return false: the connection is gone
    bool process() {
        int more = 0;
        while ((more = api_.process(bus_, nullptr)) > 0) {
        }
        return more == 0;
    }

    int fd() const { return api_.get_fd(bus_); }

  private:
    static int on_signal(sd_bus_message* message, void* context, sd_bus_error*) {
        auto& self = *static_cast<Bus*>(context);
        int begins = 0;
        if (self.api_.message_read(message, "b", &begins) > 0 && begins != 0) self.announced_.fire();
        return 0;
    }

    const BusApi api_;
    const std::string& why_;
    Interrupt& announced_;
    sd_bus* bus_ = nullptr;
    UniqueFd delay_;  // as long as it is open, a shutdown waits
};

ShutdownDelay* ShutdownDelay::start(std::string why) {
    if (!may_have_logind()) return nullptr;
    auto changed = Bell::create();
    auto announced = Interrupt::create();
    if (!changed || !announced) return nullptr;
    auto* delay = new ShutdownDelay(std::move(why), std::move(*changed), std::move(*announced));
    try {
        std::thread([delay] { delay->run(); }).detach();
    } catch (const std::system_error&) {
        delete delay;  // no thread to be had: without it, then
        return nullptr;
    }
    return delay;
}

ShutdownDelay::ShutdownDelay(std::string why, Bell changed, Interrupt announced)
    : why_(std::move(why)), changed_(std::move(changed)), announced_(std::move(announced)) {}

void ShutdownDelay::hold(bool wanted) noexcept {
    wanted_ = wanted;
    changed_.ring();
}

void ShutdownDelay::run() {
    BusApi api{};
    if (!look_up_all(api)) return log::debug("there is a logind, but no libsystemd.so.0 to reach it by");
    Bus bus(api, why_, announced_);
    if (!bus.open()) return log::debug("there is a logind, but no system bus to reach it by");
    for (;;) {
        changed_.silence();
        bus.hold(wanted_);
        if (!bus.process()) return;
        pollfd wait[2] = {{changed_.fd(), POLLIN, 0}, {bus.fd(), POLLIN, 0}};
        ::poll(wait, 2, -1);
    }
}

}  // namespace lockstep
