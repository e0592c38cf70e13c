#include "sys/stop_signals.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

using namespace lockstep;

namespace {

/// Runs `check` in a child, for signal masks are the whole process's. @return its exit status
int in_child(int (*check)()) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(check());
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a blocked signal waits and tells who sent it", "[signals]") {
    CHECK(in_child([] {
              const InheritedSignals inherited = block_signals();
              ::kill(::getpid(), SIGTERM);
              const auto fd = open_signal_fd(inherited, false);
              if (!fd) return 1;
              const auto request = read_signal(fd->get());
              if (!request || request->signal != SIGTERM) return 2;
              if (request->pid != ::getpid() || request->uid != ::getuid() || request->from_keyboard) return 3;
              return read_signal(fd->get()) ? 4 : 0;
          }) == 0);
}

TEST_CASE("what was ignored at the start is no stop request", "[signals]") {
    CHECK(in_child([] {
              ::signal(SIGHUP, SIG_IGN);
              const InheritedSignals inherited = block_signals();
              if (inherited.is_stop_request(SIGHUP) || !inherited.is_stop_request(SIGTERM)) return 1;
              const sigset_t set = stop_signals(inherited);
              return ::sigismember(&set, SIGHUP) == 0 && ::sigismember(&set, SIGINT) == 1 ? 0 : 2;
          }) == 0);
}

TEST_CASE("an inherited SIG_IGN of SIGCHLD loses the status of a child, and block_signals mends that", "[signals]") {
    const auto status_of_child = [](bool mended) {
        ::signal(SIGCHLD, SIG_IGN);
        if (mended) block_signals();
        const pid_t child = ::fork();
        if (child == 0) ::_exit(9);
        int status = 0;
        return ::waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1;
    };
    static const auto probe = status_of_child;
    CHECK(in_child([] { return probe(false) == -1 ? 0 : 1; }) == 0);  // the fault
    CHECK(in_child([] { return probe(true) == 9 ? 0 : 1; }) == 0);
}

TEST_CASE("a request reads as a person would say it", "[signals]") {
    CHECK(describe(StopRequest{SIGTERM, false, 812, 1000}) == "SIGTERM from pid 812 (uid 1000)");
    CHECK(describe(StopRequest{SIGINT, true, 0, 0}) == "SIGINT from the keyboard");
    CHECK(describe(StopRequest{SIGHUP, true, 0, 0}) == "SIGHUP from the terminal (hang-up)");
    CHECK(describe(StopRequest::front_died()) == "the death of the front");
}
