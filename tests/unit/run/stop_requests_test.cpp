#include "run/stop_requests.hpp"

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "base/duration.hpp"

using namespace lockstep;

TEST_CASE("a guardian hears of stops from the kernel and from its front, whose death it is told once", "[stop]") {
    sigset_t waited_for;
    sigset_t before;
    ::sigemptyset(&waited_for);
    ::sigaddset(&waited_for, SIGTERM);
    ::sigaddset(&waited_for, SIGCHLD);
    REQUIRE(::pthread_sigmask(SIG_BLOCK, &waited_for, &before) == 0);
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    GuardianLink link;
    link.socket.reset(ends[0]);
    UniqueFd front(ends[1]);
    auto requests = StopRequests::open(link, true);
    REQUIRE(requests);
    CHECK_FALSE(requests->next());

    ::raise(SIGCHLD);
    ::raise(SIGTERM);
    CHECK(requests->next().value_or(StopRequest{}).signal == SIGTERM);
    CHECK_FALSE(requests->next());

    const StopRequest typed{SIGINT, true, 0, 0};
    REQUIRE(::send(front.get(), &typed, sizeof typed, 0) == sizeof typed);
    CHECK(requests->from_front() == ends[0]);
    CHECK(requests->next().value_or(StopRequest{}).from_keyboard);

    front.reset();
    const auto death = requests->next();
    CHECK((death && death->signal == 0));
    CHECK(requests->from_front() == -1);
    CHECK_FALSE(requests->next());
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("a line that is due ten thousand times in a moment is said once", "[stop]") {
    RepeatedLine line;
    int said = 0;
    const MonotonicTime begun = monotonic_now();
    for (int i = 0; i < 10'000; ++i) said += line.is_due() ? 1 : 0;
    CHECK(said >= 1);
    CHECK(said <= 1 + (monotonic_now() - begun) / Millis{200});
}
