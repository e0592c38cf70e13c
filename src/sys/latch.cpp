#include "sys/latch.hpp"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lockstep {

void Latch::set(int value) noexcept {
    value_.store(value, std::memory_order_release);
    ::syscall(SYS_futex, &value_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

int Latch::wait() const noexcept {
    for (;;) {
        if (const int value = value_.load(std::memory_order_acquire); value != 0) return value;
        // Sleeps only while the value is still zero, so that no wake is missed. EINTR and EAGAIN: look again.
        ::syscall(SYS_futex, &value_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
}

}  // namespace lockstep
