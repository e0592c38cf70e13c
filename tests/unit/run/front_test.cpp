#include "run/front.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "base/clock.hpp"

using namespace lockstep;

namespace {

/// Runs a front in a child of its own, with `guardian` as its guardian. @return the wait status
int run_front(int (*guardian)(GuardianLink&, void*), void* context = nullptr, bool interrupt = false) {
    const pid_t front = ::fork();
    if (front == 0) {
        const InheritedSignals inherited = block_signals();
        if (interrupt) {
            // As the terminal driver does it: the siginfo of a kernel-made signal cannot be forged, so the test of Ctrl-C
            // itself is in tests/system; here SIGINT comes from a process.
            ::kill(::getpid(), SIGINT);
        }
        ::_exit(run_in_guardian(inherited, "test", guardian, context));
    }
    int status = 0;
    REQUIRE(::waitpid(front, &status, 0) == front);
    return status;
}

bool readable(int fd, int milliseconds) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, milliseconds) == 1;
}

/// By which what a front has left behind tells of itself.
class Pipe {
  public:
    Pipe() { REQUIRE(::pipe(ends_.data()) == 0); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        for (const int end : ends_) ::close(end);
    }

    int read_end() const { return ends_[0]; }
    /// For run_front(): the guardian writes to `written_by(context)`.
    void* context() { return &ends_[1]; }
    static int written_by(void* context) { return *static_cast<int*>(context); }

  private:
    std::array<int, 2> ends_{-1, -1};
};

}  // namespace

TEST_CASE("the front exits as its guardian exits", "[front]") {
    const int status = run_front([](GuardianLink&, void*) { return 42; });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 42);
}

TEST_CASE("a guardian that is killed makes the front exit with 70", "[front]") {
    const int status = run_front([](GuardianLink&, void*) { return ::kill(::getpid(), SIGKILL); });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 70);
}

TEST_CASE("the front outlives the commands of a killed guardian", "[front]") {
    Pipe pipe;
    const int status = run_front(
        [](GuardianLink& link, void* context) {
            const int write_end = Pipe::written_by(context);
            const pid_t command = ::fork();
            if (command == 0) {
                ::poll(nullptr, 0, 200);
                ::_exit(::write(write_end, "x", 1) == 1 ? 0 : 1);
            }
            link.commands->add(command);
            return ::kill(::getpid(), SIGKILL);
        },
        pipe.context());
    CHECK(WEXITSTATUS(status) == 70);
    CHECK(readable(pipe.read_end(), 0));  // the command had ended before the front did
}

TEST_CASE("the front waits for no command that a killed guardian had reaped, though another process lives on", "[front]") {
    Pipe pipe;
    const int status = run_front(
        [](GuardianLink& link, void* context) {
            const pid_t daemon = ::fork();
            if (daemon == 0) {
                ::poll(nullptr, 0, 10'000);
                ::_exit(static_cast<int>(::write(Pipe::written_by(context), "x", 1)));
            }
            const pid_t command = ::fork();
            if (command == 0) ::_exit(0);
            ::waitpid(command, nullptr, 0);
            link.commands->add(command);  // as if it had not been removed yet
            (void)!::write(Pipe::written_by(context), &daemon, sizeof daemon);
            return ::kill(::getpid(), SIGKILL);
        },
        pipe.context());
    CHECK(WEXITSTATUS(status) == 70);
    pid_t daemon = 0;
    REQUIRE(::read(pipe.read_end(), &daemon, sizeof daemon) == sizeof daemon);
    CHECK_FALSE(readable(pipe.read_end(), 0));  // the daemon has not ended yet
    ::kill(daemon, SIGKILL);
}

TEST_CASE("the front outlives the commands of a killed guardian, though another of its processes ends meanwhile", "[front]") {
    Pipe pipe;
    const int status = run_front(
        [](GuardianLink& link, void* context) {
            const pid_t guardian = ::getpid();
            const pid_t daemon = ::fork();
            if (daemon == 0) {
                while (::getppid() == guardian) ::poll(nullptr, 0, 1);
                ::poll(nullptr, 0, 50);  // the front has seen to the guardian's death by now
                ::_exit(0);
            }
            const pid_t command = ::fork();
            if (command == 0) {
                while (::kill(daemon, 0) == 0) ::poll(nullptr, 0, 1);
                ::poll(nullptr, 0, 50);
                ::_exit(::write(Pipe::written_by(context), "x", 1) == 1 ? 0 : 1);
            }
            const pid_t reaped = ::fork();
            if (reaped == 0) ::_exit(0);
            ::waitpid(reaped, nullptr, 0);
            link.commands->add(reaped);  // as if it had not been removed yet
            link.commands->add(command);
            return ::kill(::getpid(), SIGKILL);
        },
        pipe.context());
    CHECK(WEXITSTATUS(status) == 70);
    CHECK(readable(pipe.read_end(), 0));  // the command had ended before the front did
}

TEST_CASE("a stop request reaches the guardian with its sender", "[front]") {
    const int status = run_front(
        [](GuardianLink& link, void*) {
            if (!readable(link.socket.get(), 5000)) return 1;
            const auto request = receive_request(link.socket.get());
            return request && request->signal == SIGINT && !request->from_keyboard && request->pid == ::getppid() ? 7 : 2;
        },
        nullptr, true);
    CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("the guardian leads a session of its own and learns of the front's death", "[front]") {
    Pipe pipe;
    const int status = run_front(
        [](GuardianLink& link, void* context) {
            if (::getsid(0) != ::getpid()) return 1;
            ::kill(::getppid(), SIGKILL);
            if (!readable(link.socket.get(), 5000)) return 2;
            const auto request = receive_request(link.socket.get());
            const char result = request && request->signal == 0 ? 'y' : 'n';
            return static_cast<int>(::write(Pipe::written_by(context), &result, 1));
        },
        pipe.context());
    CHECK(WIFSIGNALED(status));
    REQUIRE(readable(pipe.read_end(), 5000));
    char result = 0;
    CHECK(::read(pipe.read_end(), &result, 1) == 1);
    CHECK(result == 'y');
}

TEST_CASE("the command table forgets what is removed and holds what is not", "[front]") {
    auto table = std::make_unique<CommandTable>();
    CHECK(table->empty());
    table->add(10);
    table->add(11);
    table->remove(10);
    CHECK_FALSE(table->contains(10));
    CHECK(table->contains(11));
    table->remove(11);
    CHECK(table->empty());
    for (int pid = 1; pid < 400; ++pid) table->add(pid);  // more than there is room for: no harm
    CHECK(table->contains(1));
}
