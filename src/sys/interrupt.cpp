#include "sys/interrupt.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstdint>

#include "sys/watch_either.hpp"

namespace lockstep {

Result<Interrupt> Interrupt::create() {
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) return os_error(Failure::os, "creating an eventfd");
    return Interrupt(std::move(fd));
}

Result<Interrupt> Interrupt::either(const Interrupt& one, const Interrupt& other) {
    auto fd = watch_either(one.fd(), other.fd(), "watching two eventfds");
    if (!fd) return std::unexpected(std::move(fd.error()));
    Interrupt result(std::move(*fd));
    result.sources_ = {&one, &other};
    return result;
}

bool Interrupt::fired() const noexcept {
    if (fired_.load(std::memory_order_acquire)) return true;
    return std::ranges::any_of(sources_, [](const Interrupt* source) { return source != nullptr && source->fired(); });
}

void Interrupt::fire() noexcept {
    if (fired_.exchange(true, std::memory_order_acq_rel)) return;
    const std::uint64_t one = 1;
    // Cannot fail: the counter is far from its limit. The flag alone is seen at the next check anyway.
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
}

bool Interrupt::wait_until(MonotonicTime deadline) const {
    while (!fired()) {
        pollfd wait{fd_.get(), POLLIN, 0};
        const int timeout = millis_until(deadline);
        if (::poll(&wait, 1, timeout) == 0 && monotonic_now() >= deadline) break;
    }
    return fired();
}

Result<Bell> Bell::create() {
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) return os_error(Failure::os, "creating an eventfd");
    return Bell(std::move(fd));
}

void Bell::ring() noexcept {
    if (rings_.exchange(true, std::memory_order_acq_rel)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
}

void Bell::silence() noexcept {
    // The counter first. A ring in between leaves no trace, but what it is about is there to be seen when we return; the
    // other way round it would be the last one ever heard.
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(fd_.get(), &count, sizeof count);
    rings_.store(false, std::memory_order_release);
}

}  // namespace lockstep
