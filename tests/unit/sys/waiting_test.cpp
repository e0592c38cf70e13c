// What threads wait for: the latch, the bell, one of two interrupts.

#include <poll.h>

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "sys/interrupt.hpp"
#include "sys/latch.hpp"

namespace lockstep {
namespace {

bool rings(const Bell& bell) {
    pollfd wait{bell.fd(), POLLIN, 0};
    return ::poll(&wait, 1, 0) == 1;
}

TEST_CASE("a latch gives its value to all who waited for it, and to those who come late", "[latch]") {
    for (int round = 0; round < 200; ++round) {
        Latch latch;
        std::atomic<int> sum = 0;
        std::vector<std::thread> waiters;
        for (int i = 0; i < 4; ++i) waiters.emplace_back([&] { sum += latch.wait(); });
        if (round % 2 == 0) std::this_thread::yield();
        latch.set(3);
        for (std::thread& waiter : waiters) waiter.join();
        CHECK(sum == 12);
        CHECK(latch.wait() == 3);
    }
}

TEST_CASE("one of two interrupts is enough for whoever waits for either", "[interrupt]") {
    auto one = Interrupt::create().value();
    auto other = Interrupt::create().value();
    const auto either = Interrupt::either(one, other).value();
    CHECK_FALSE(either.wait_until(monotonic_now()));
    std::thread waiter([&] { CHECK(either.wait_until(monotonic_now() + std::chrono::hours{1})); });
    (GENERATE(false, true) ? one : other).fire();
    waiter.join();
    pollfd wait{either.fd(), POLLIN, 0};
    CHECK(::poll(&wait, 1, 0) == 1);
}

TEST_CASE("a bell rings until it is silenced, and can be rung again", "[bell]") {
    auto bell = Bell::create().value();
    CHECK_FALSE(rings(bell));
    bell.ring();
    bell.ring();
    CHECK(rings(bell));
    bell.silence();
    CHECK_FALSE(rings(bell));
    bell.silence();
    bell.ring();
    CHECK(rings(bell));
}

TEST_CASE("whatever happens before a bell is rung is heard of, however often it is silenced meanwhile", "[bell]") {
    constexpr int kEvents = 20'000;
    auto bell = Bell::create().value();
    std::atomic<int> events = 0;
    std::thread ringer([&] {
        for (int i = 0; i < kEvents; ++i) {
            ++events;
            bell.ring();
        }
    });
    int seen = 0;
    while (seen < kEvents) {
        pollfd wait{bell.fd(), POLLIN, 0};
        REQUIRE(::poll(&wait, 1, 20'000) == 1);  // a lost ring would sleep here for ever
        bell.silence();
        seen = events;
    }
    ringer.join();
}

}  // namespace
}  // namespace lockstep
