#include "sys/subprocess.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "support/temporary_directory.hpp"

using namespace lockstep;
using namespace std::chrono_literals;

namespace {

struct Ran {
    WaitStatus status;
    std::string out;
};

std::string content(int fd) {
    std::string text(1 << 16, '\0');
    const ssize_t length = ::pread(fd, text.data(), text.size(), 0);
    text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return text;
}

UniqueFd memory_file() { return UniqueFd(::memfd_create("test", MFD_CLOEXEC)); }

Ran run(SpawnRequest request) {
    const UniqueFd out = memory_file();
    request.stdout_fd = out.get();
    auto child = Subprocess::spawn(request);
    REQUIRE(child);
    Ran ran;
    ran.status = child->wait();
    ran.out = content(out.get());
    return ran;
}

SpawnRequest shell(const std::string& script) {
    SpawnRequest request;
    request.argv = {"/bin/sh", "-c", script};
    return request;
}

/// The bits of a signal set in /proc/self/status, as the child itself sees them.
unsigned long long signal_bits(const std::string& status, const std::string& field) {
    const std::size_t at = status.find(field + ":\t");
    REQUIRE(at != std::string::npos);
    return std::stoull(status.substr(at + field.size() + 2, 16), nullptr, 16);
}

unsigned long long bit(int signal) { return 1ULL << (signal - 1); }

template <class Condition>
bool within(std::chrono::seconds limit, Condition holds) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        ::poll(nullptr, 0, 5);
    }
    return true;
}

}  // namespace

TEST_CASE("a child's exit status and output come back", "[subprocess]") {
    const Ran ran = run(shell("echo hello; exit 7"));
    CHECK(ran.status.exit_status == 7);
    CHECK(ran.status.signal == 0);
    CHECK(ran.status.shell_status() == 7);
    CHECK(ran.out == "hello\n");
}

TEST_CASE("a child that a signal ended is told from one that exited", "[subprocess]") {
    const Ran ran = run(shell("kill -KILL $$"));
    CHECK(ran.status.signal == SIGKILL);
    CHECK(ran.status.shell_status() == 128 + SIGKILL);
}

TEST_CASE("a program that is not there is an error that names it, and leaves no child", "[subprocess]") {
    SpawnRequest request;
    request.argv = {"no-such-program-anywhere"};
    auto child = Subprocess::spawn(request);
    REQUIRE_FALSE(child);
    CHECK(child.error().errno_value == ENOENT);
    CHECK(child.error().text == "starting no-such-program-anywhere: there is no such program in PATH");

    request.argv = {"./nothing-here"};
    request.cwd = "/tmp";
    child = Subprocess::spawn(request);
    REQUIRE_FALSE(child);
    CHECK(child.error().errno_value == ENOENT);
    CHECK(child.error().text.find("./nothing-here in /tmp") != std::string::npos);
    CHECK((::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD));
}

TEST_CASE("a program that may not be executed and a directory that is not there are told apart", "[subprocess]") {
    SpawnRequest request;
    request.argv = {"/etc/passwd"};
    auto child = Subprocess::spawn(request);
    REQUIRE_FALSE(child);
    CHECK(child.error().errno_value == EACCES);

    request.argv = {"/bin/true"};
    request.cwd = "/no/such/directory";
    child = Subprocess::spawn(request);
    REQUIRE_FALSE(child);
    CHECK(child.error().errno_value == ENOENT);
    CHECK(child.error().text == "starting /bin/true: entering directory /no/such/directory: No such file or directory");
}

TEST_CASE("a child starts in the directory that it is given", "[subprocess]") {
    SpawnRequest request = shell("pwd");
    request.cwd = "/usr";
    CHECK(run(request).out == "/usr\n");
}

TEST_CASE("a child gets the environment that it is given, or ours", "[subprocess]") {
    SpawnRequest request = shell("echo \"$ONLY-$HOME\"");
    request.environment = std::vector<std::string>{"ONLY=this"};
    CHECK(run(request).out == "this-\n");

    ::setenv("LOCKSTEP_TEST_MARK", "inherited", 1);
    CHECK(run(shell("echo $LOCKSTEP_TEST_MARK")).out == "inherited\n");
    ::unsetenv("LOCKSTEP_TEST_MARK");
}

TEST_CASE("a child leads a process group of its own", "[subprocess]") {
    auto child = Subprocess::spawn(shell("sleep 60"));
    REQUIRE(child);
    CHECK(::getpgid(child->pid()) == child->pid());
    CHECK(::getpgrp() != child->pid());
    child->signal_group(SIGKILL);
    CHECK(child->wait().signal == SIGKILL);
}

TEST_CASE("a signal to the group reaches the child's children, too", "[subprocess]") {
    const UniqueFd out = memory_file();
    SpawnRequest request = shell("sleep 60 & echo $!; wait");
    request.stdout_fd = out.get();
    auto child = Subprocess::spawn(request);
    REQUIRE(child);
    REQUIRE(within(60s, [&] { return content(out.get()).ends_with('\n'); }));
    const pid_t grandchild = std::stoi(content(out.get()));
    child->signal_group(SIGTERM);
    CHECK(child->wait().signal == SIGTERM);
    CHECK(within(60s, [&] {
        // Gone, or a zombie that nobody but init can collect.
        const UniqueFd stat(::open(("/proc/" + std::to_string(grandchild) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
        return !stat || content(stat.get()).find(") Z ") != std::string::npos;
    }));
    child->signal_group(SIGTERM);  // an empty group is no error
}

TEST_CASE("whatever we block or ignore, a child starts with default, unblocked signals", "[subprocess]") {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    auto* old_hup = ::signal(SIGHUP, SIG_IGN);
    auto* old_chld = ::signal(SIGUSR1, SIG_IGN);
    SpawnRequest request;
    request.argv = {"cat", "/proc/self/status"};
    const std::string status = run(request).out;
    ::signal(SIGHUP, old_hup);
    ::signal(SIGUSR1, old_chld);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);

    CHECK(signal_bits(status, "SigBlk") == 0);
    CHECK(signal_bits(status, "SigIgn") == 0);
}

TEST_CASE("a shielded child ignores TERM, INT, HUP and QUIT, and blocks nothing", "[subprocess][shield]") {
    SpawnRequest request;
    request.argv = {"cat", "/proc/self/status"};
    request.shield = true;
    const std::string status = run(request).out;
    CHECK(signal_bits(status, "SigBlk") == 0);
    CHECK(signal_bits(status, "SigIgn") == (bit(SIGTERM) | bit(SIGINT) | bit(SIGHUP) | bit(SIGQUIT)));
}

TEST_CASE("shielding a child takes no pending stop request from us", "[subprocess][shield]") {
    sigset_t term;
    sigset_t before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &before);
    const auto pending = [] {
        sigset_t set;
        sigpending(&set);
        return sigismember(&set, SIGTERM) == 1;
    };

    SECTION("the fault: ignoring a signal around the call throws away one that waits, though it is blocked") {
        ::raise(SIGTERM);
        REQUIRE(pending());
        ::signal(SIGTERM, SIG_IGN);
        ::signal(SIGTERM, SIG_DFL);
        CHECK_FALSE(pending());
    }
    SECTION("spawn does not touch our own signals") {
        ::raise(SIGTERM);
        SpawnRequest request;
        request.argv = {"true"};
        request.shield = true;
        CHECK(run(request).status.exit_status == 0);
        CHECK(pending());
        const timespec none{};
        CHECK(::sigtimedwait(&term, nullptr, &none) == SIGTERM);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("the standard streams are wired even where their numbers cross", "[subprocess]") {
    // 2>&1 and friends: what we hand out as stdout and stderr may itself have a low number.
    const UniqueFd out = memory_file();
    const UniqueFd err = memory_file();
    const int saved_out = ::dup(1);
    const int saved_err = ::dup(2);
    ::dup2(out.get(), 2);  // our 2 is to become the child's 1, and our 1 its 2
    ::dup2(err.get(), 1);
    SpawnRequest request = shell("echo to-out; echo to-err >&2");
    request.stdout_fd = 2;
    request.stderr_fd = 1;
    auto child = Subprocess::spawn(request);
    ::dup2(saved_out, 1);
    ::dup2(saved_err, 2);
    ::close(saved_out);
    ::close(saved_err);
    REQUIRE(child);
    CHECK(child->wait().exit_status == 0);
    CHECK(content(out.get()) == "to-out\n");
    CHECK(content(err.get()) == "to-err\n");
}

TEST_CASE("a child keeps the descriptors it is meant to keep, under their numbers, and no others", "[subprocess]") {
    const UniqueFd kept = memory_file();
    const UniqueFd hidden = memory_file();
    SpawnRequest request = shell("[ -e /proc/self/fd/" + std::to_string(kept.get()) + " ] && [ ! -e /proc/self/fd/" +
                                 std::to_string(hidden.get()) + " ]");
    request.kept_fds = {kept.get()};
    CHECK(run(request).status.exit_status == 0);
    CHECK((::fcntl(kept.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("the end shows on the pidfd before the status is collected", "[subprocess]") {
    auto child = Subprocess::spawn(shell("exit 3"));
    REQUIRE(child);
    pollfd wait{child->pidfd(), POLLIN, 0};
    REQUIRE(::poll(&wait, 1, 10'000) == 1);
    CHECK(child->has_ended());
    CHECK(child->state() == 'Z');
    WaitStatus status;
    REQUIRE(child->try_wait(status));
    CHECK(status.exit_status == 3);
    CHECK(child->try_wait(status));
    CHECK(child->state() == 0);
}

TEST_CASE("a stopped child is seen once, with the signal that stopped it", "[subprocess]") {
    auto child = Subprocess::spawn(shell("kill -STOP $$; exit 5"));
    REQUIRE(child);
    int by = 0;
    REQUIRE(within(60s, [&] { return (by = child->newly_stopped_by()) != 0; }));
    CHECK(by == SIGSTOP);
    CHECK(child->newly_stopped_by() == 0);
    CHECK(child->state() == 'T');
    WaitStatus status;
    CHECK_FALSE(child->try_wait(status));
    child->signal_group(SIGCONT);
    CHECK(child->wait().exit_status == 5);
}

TEST_CASE("many threads may start children at once", "[subprocess][threads]") {
    std::vector<std::thread> threads;
    std::atomic<int> right = 0;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&right, i] {
            for (int n = 0; n < 25; ++n) {
                SpawnRequest request = shell("exit " + std::to_string(i + 1));
                request.shield = i % 2 == 0;
                auto child = Subprocess::spawn(request);
                if (child && child->wait().exit_status == i + 1) ++right;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(right == 200);
}

TEST_CASE("a program is found in the PATH that its own environment names", "[subprocess]") {
    const lockstep::testing::TemporaryDirectory directory;
    const std::string program = directory.write("lockstep-test-program", "#!/bin/sh\necho found\n");
    REQUIRE(::chmod(program.c_str(), 0755) == 0);
    SpawnRequest request;
    request.argv = {"lockstep-test-program"};
    CHECK(Subprocess::spawn(request).error().errno_value == ENOENT);
    request.environment = std::vector<std::string>{"XPATH=/none", "PATH=/none:" + directory.path() + ":/usr/bin:/bin"};
    CHECK(run(request).out == "found\n");
    SECTION("and in no other") {
        request.argv = {"sh", "-c", "true"};
        request.environment = std::vector<std::string>{"PATH=" + directory.path()};
        CHECK(Subprocess::spawn(request).error().errno_value == ENOENT);
    }
    SECTION("in the system's directories if it names none") {
        request.argv = {"sh", "-c", "echo found"};
        request.environment = std::vector<std::string>{};
        CHECK(run(request).out == "found\n");
    }
}
