// Which directories are locks, what the kernel's list tells of them, and what people type to name one.

#include <sys/file.h>
#include <sys/sysmacros.h>

#include <catch2/catch.hpp>

#include "lock/lock_view.hpp"
#include "lock_support.hpp"

using namespace lock_test;

namespace {

void make(const std::string& path, mode_t mode) {
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    REQUIRE(::chmod(path.c_str(), mode) == 0);
}

struct stat identity_of(const std::string& path) {
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info;
}

std::string device_and_inode(const struct stat& info) {
    char text[64];
    std::snprintf(text, sizeof text, "%02x:%02x:%lu", major(info.st_dev), minor(info.st_dev),
                  static_cast<unsigned long>(info.st_ino));
    return text;
}

}  // namespace

TEST_CASE("locks are the directories that we mark, and plain ones whose name says so", "[lock_list]") {
    const TemporaryDirectory directory;
    make(directory / "b", 01700);
    make(directory / "setgid", 03700);
    make(directory / "a.lock", 0755);
    make(directory / "plain", 0755);
    make(directory / ".lock", 0755);
    make(directory / "tmp.lock", 01777);
    make(directory / "private-tmp", 01770);
    write_all(directory / "file.lock", "");
    REQUIRE(::symlink((directory / "b").c_str(), (directory / "link.lock").c_str()) == 0);
    const auto locks = look_at_locks_in(directory.path());
    REQUIRE(locks);
    std::vector<std::string> paths;
    for (const LockView& lock : *locks) paths.push_back(lock.path);
    CHECK(paths == std::vector<std::string>{directory / "a.lock", directory / "b", directory / "setgid"});
}

TEST_CASE("a root that cannot be read is an error that names it", "[lock_list]") {
    const auto locks = look_at_locks_in("/nonexistent-directory");
    REQUIRE_FALSE(locks);
    CHECK(locks.error().text.find("/nonexistent-directory") != std::string::npos);
}

TEST_CASE("a lock in the default root is named by its bare name, any other by its path", "[lock_list]") {
    CHECK(lock_name("/tmp/nightly.lock") == "nightly");
    CHECK(lock_name("/tmp/a b.lock") == "a b");
    for (const std::string path : {"/tmp/nightly", "/tmp/x/nightly.lock", "/srv/nightly.lock", "/tmp/.lock", "/tmp/-x.lock",
                                   "/tmp/..lock.lock", "/tmp/...lock"}) {
        const auto back = LockPath::open(lock_name(path));
        if (back) CHECK(back->text() == path);
    }
    CHECK(lock_name("/tmp/-x.lock") == "/tmp/-x.lock");
}

TEST_CASE("the kernel's list tells holders, sharers, waiters and marks of one inode", "[lock_list]") {
    const TemporaryDirectory directory;
    make(directory / "a", 01700);
    const struct stat info = identity_of(directory / "a");
    const std::string at = device_and_inode(info);
    const KernelLocks locks = KernelLockTable("1: FLOCK  ADVISORY  WRITE 812 " + at + " 0 EOF\n" +       //
                                              "1: -> FLOCK  ADVISORY  WRITE 901 " + at + " 0 EOF\n" +    //
                                              "1:  -> FLOCK  ADVISORY  READ 902 " + at + " 0 EOF\n" +    //
                                              "2: OFDLCK ADVISORY  READ -1 " + at + " 0 EOF\n" +         //
                                              "3: FLOCK  ADVISORY  WRITE 77 " + at + "1 0 EOF\n" +       //
                                              "4: POSIX  ADVISORY  READ 78 " + at + " 0 EOF\n" + "5: ")  //
                                  .of(info);
    CHECK(locks.holders == std::vector<pid_t>{812});
    CHECK_FALSE(locks.shared);
    CHECK(locks.waiters == std::vector<pid_t>{901, 902});
    CHECK(locks.marks == 1);
    const KernelLocks readers = KernelLockTable("1: FLOCK  ADVISORY  READ 812 " + at + " 0 EOF\n" +  //
                                                "2: FLOCK  ADVISORY  READ 813 " + at + " 0 EOF\n")
                                    .of(info);
    CHECK(readers.holders == std::vector<pid_t>{812, 813});
    CHECK(readers.shared);
}

TEST_CASE("those who wait are counted, and nobody is made to wait for the counting", "[lock_list]") {
    const TemporaryDirectory directory;
    Holder holder(directory / "a.lock");
    std::vector<std::unique_ptr<Process>> waiters;
    for (int i = 0; i < 3; ++i) {
        waiters.push_back(std::make_unique<Process>([&] {
            LockWait wait;
            wait.limit = std::nullopt;
            return acquire(directory / "a.lock", wait) ? 0 : 1;
        }));
    }
    REQUIRE(eventually([&] { return look_at_lock(directory / "a.lock").kernel.waiters.size() == 3; }));
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.waiters() == 3U);
    CHECK(view.pid == holder.pid());
    holder.go_on();
    CHECK(holder.join() == 0);
    for (auto& waiter : waiters) CHECK(waiter->join() == 0);
    CHECK_FALSE(exists(directory / "a.lock"));
}

TEST_CASE("a lock that is free while its waiter is stopped says so", "[lock_list]") {
    const TemporaryDirectory directory;
    Holder holder(directory / "a.lock");
    Process waiter([&] {
        LockWait wait;
        wait.limit = std::nullopt;
        return acquire(directory / "a.lock", wait) ? 0 : 1;
    });
    REQUIRE(eventually([&] { return sleeps_in_flock(waiter.pid()); }));
    REQUIRE(::kill(waiter.pid(), SIGSTOP) == 0);
    holder.go_on();
    CHECK(holder.join() == 0);
    // The kernel gives the flock to who is woken, stopped or not: so it is held, or waited for, but never left behind.
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK((view.state == LockState::waiting || view.state == LockState::held));
    CHECK(view.text.find("left behind") == std::string::npos);
    REQUIRE(::kill(waiter.pid(), SIGCONT) == 0);
    CHECK(waiter.join() == 0);
}

TEST_CASE("an adopter that waits for the dead run's command is not taken for the dead run", "[lock_list]") {
    const TemporaryDirectory directory;
    Process orphan([&] {
        Process guardian([&] {
            auto lock = acquire(directory / "a.lock", {}, record_of("dead"));
            const auto mark = lock ? lock->mark_command() : Result<CommandMark>(CommandMark{});
            if (!mark || !mark->fd) return 1;
            write_mark_pid(mark->fd.get(), 4711);
            ::kill(::getpid(), SIGKILL);
            return 0;
        });
        // The mark's descriptor is close-on-exec, not close-on-fork: take it as a command would.
        guardian.join();
        const UniqueFd mark(::open((directory / "a.lock/c.1").c_str(), O_RDONLY | O_CLOEXEC));
        if (!mark || ::flock(mark.get(), LOCK_SH) != 0) return 2;
        Process::say_ready_and_wait();
        return 0;
    });
    REQUIRE(orphan.ready());
    CHECK(look_at_lock(directory / "a.lock").state == LockState::left_behind);
    Process adopter([&] {
        LockWait wait;
        wait.limit = std::nullopt;
        return acquire(directory / "a.lock", wait) ? 0 : 1;
    });
    REQUIRE(eventually([&] { return sleeps_in_flock(adopter.pid()); }));
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::held);
    CHECK(view.pid == adopter.pid());
    CHECK(view.text.find("is taking it over from run dead") != std::string::npos);
    orphan.go_on();
    CHECK(adopter.join() == 0);
    CHECK(orphan.join() == 0);
}
