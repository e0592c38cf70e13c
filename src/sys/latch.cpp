#include "sys/latch.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lockstep {

void Latch::set(int value) noexcept {
    if (value_.exchange(value, std::memory_order_acq_rel) != kAwaited) return;
    ::syscall(SYS_futex, &value_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

int Latch::wait() const noexcept {
    for (;;) {
        int value = 0;
        value_.compare_exchange_strong(value, kAwaited, std::memory_order_acq_rel, std::memory_order_acquire);
        if (value > 0) return value;
        // Sleeps only while it is not set, so that no wake is missed. EINTR and EAGAIN: look again.
        ::syscall(SYS_futex, &value_, FUTEX_WAIT_PRIVATE, kAwaited, nullptr, nullptr, 0);
    }
}

}  // namespace lockstep
