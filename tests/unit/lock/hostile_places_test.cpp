// What may stand where the lock should be. Each is refused with a message of its own, and is untouched afterwards.

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <catch2/catch.hpp>

#include <sched.h>

#include "lock_support.hpp"

using namespace lock_test;
using Catch::Matchers::Contains;

namespace {

/// The refusal, after checking that what stands at the path is still the same inode with the same mode.
std::string refusal(const std::string& path) {
    struct stat before{};
    REQUIRE(::lstat(path.c_str(), &before) == 0);
    auto lock = acquire(path);
    REQUIRE_FALSE(lock);
    CHECK(lock.error().failure == Failure::lock);
    struct stat after{};
    REQUIRE(::lstat(path.c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);
    CHECK(before.st_mode == after.st_mode);
    CHECK(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    return lock.error().text;
}

/// Runs `body` in a child with a mount namespace of its own and a small tmpfs at `at`.
int on_small_tmpfs(const std::string& at, const char* options, const std::function<int()>& body) {
    Process child([&] {
        if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 97;
        if (::mount("tmpfs", at.c_str(), "tmpfs", 0, options) != 0) return 97;
        return body();
    });
    return child.join();
}

constexpr int kCannotMount = 97;

}  // namespace

TEST_CASE("a symbolic link is refused, and what it leads to is left alone", "[lock][hostile]") {
    TemporaryDirectory dir;
    std::filesystem::create_directory(dir / "target");
    std::filesystem::create_directory_symlink("target", dir / "a.lock");
    CHECK_THAT(refusal(dir / "a.lock"), Contains("is a symbolic link to target, not a lock directory"));
    CHECK(std::filesystem::is_empty(dir / "target"));
}

TEST_CASE("a symbolic link to a lock of our own is refused, too", "[lock][hostile]") {
    TemporaryDirectory dir;
    REQUIRE(::mkdir((dir / "target").c_str(), 01700) == 0);
    std::filesystem::create_directory_symlink(dir / "target", dir / "a.lock");
    CHECK_THAT(refusal(dir / "a.lock"), Contains("is a symbolic link to"));
}

TEST_CASE("a dangling symbolic link is refused, and its target is not made", "[lock][hostile]") {
    TemporaryDirectory dir;
    std::filesystem::create_symlink(dir / "nowhere", dir / "a.lock");
    CHECK_THAT(refusal(dir / "a.lock"), Contains("is a dangling symbolic link to " + (dir / "nowhere")));
    CHECK_FALSE(exists(dir / "nowhere"));
}

TEST_CASE("a symbolic link to itself is refused", "[lock][hostile]") {
    TemporaryDirectory dir;
    std::filesystem::create_symlink("a.lock", dir / "a.lock");
    CHECK_THAT(refusal(dir / "a.lock"), Contains("symbolic link"));
}

TEST_CASE("a fifo is refused without waiting for its other end", "[lock][hostile]") {
    TemporaryDirectory dir;
    REQUIRE(::mkfifo((dir / "a.lock").c_str(), 0600) == 0);
    CHECK_THAT(refusal(dir / "a.lock"), Contains("is a fifo"));
}

TEST_CASE("a socket is refused", "[lock][hostile]") {
    TemporaryDirectory dir;
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (dir / "a.lock").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK_THAT(refusal(dir / "a.lock"), Contains("is a socket"));
}

TEST_CASE("a plain file, as flock(1) makes it, is refused", "[lock][hostile]") {
    TemporaryDirectory dir;
    write_all(dir / "a.lock", "812\n");
    CHECK_THAT(refusal(dir / "a.lock"), Contains("is a plain file, not a lock directory") && Contains("name another lock"));
    CHECK(read_all(dir / "a.lock") == "812\n");
}

TEST_CASE("a device is refused", "[lock][hostile]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    REQUIRE(::mknod((dir / "a.lock").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0);
    CHECK_THAT(refusal(dir / "a.lock"), Contains("is a device"));
}

TEST_CASE("a sticky directory for everybody, such as /tmp itself, is no lock", "[lock][hostile]") {
    TemporaryDirectory dir;
    std::filesystem::create_directory(dir / "a.lock");
    REQUIRE(::chmod((dir / "a.lock").c_str(), 01777) == 0);
    CHECK_THAT(refusal(dir / "a.lock"), Contains("others may use"));
    CHECK(std::filesystem::is_empty(dir / "a.lock"));
}

TEST_CASE("another user's directory is refused by root, sticky or not", "[lock][hostile]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    const mode_t mode = GENERATE(0700, 01700);
    REQUIRE(::mkdir((dir / "a.lock").c_str(), 0700) == 0);
    REQUIRE(::chown((dir / "a.lock").c_str(), 65534, 65534) == 0);
    REQUIRE(::chmod((dir / "a.lock").c_str(), mode) == 0);
    CHECK_THAT(refusal(dir / "a.lock"), Contains("is owned by uid 65534, not by you (uid 0): refusing to touch it"));
}

TEST_CASE("another user's directory that cannot even be opened is refused by its owner's uid", "[lock][hostile]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    REQUIRE(::chmod(dir.path().c_str(), 01777) == 0);
    auto held = acquire(dir / "a.lock");
    REQUIRE(held);
    CHECK(as_nobody([&] {
              const std::string text = error_of(dir / "a.lock", for_at_most(5'000));
              return text.find("is owned by uid 0, not by you (uid 65534)") != std::string::npos ? 0 : 1;
          }) == 0);
}

TEST_CASE("a parent that we may not write in is named", "[lock][hostile]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
    CHECK(as_nobody([&] {
              const std::string text = error_of(dir / "a.lock");
              return text.find("you (uid 65534) may not write in " + dir.path()) != std::string::npos ? 0 : 1;
          }) == 0);
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a parent that we may write but not read will do, waiting included", "[lock][hostile]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    REQUIRE(::chmod(dir.path().c_str(), 0711) == 0);
    REQUIRE(::mkdir((dir / "drop").c_str(), 0700) == 0);
    REQUIRE(::chown((dir / "drop").c_str(), 65534, 65534) == 0);
    REQUIRE(::chmod((dir / "drop").c_str(), 0300) == 0);
    Process child([&] {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 98;
        if (::mkdir((dir / "drop/a.lock").c_str(), 0700) != 0) return 2;  // a plain mkdir lock: inotify must do without
        LockWait wait = for_at_most(10'000);
        wait.on_wait = [](const std::string&) { Process::say_ready(); };
        auto lock = acquire(dir / "drop/a.lock", wait);
        return lock && lock->release() ? 0 : 1;
    });
    REQUIRE(child.ready());
    REQUIRE(::rmdir((dir / "drop/a.lock").c_str()) == 0);
    CHECK(child.join() == 0);
}

TEST_CASE("a parent that was removed after it had been opened is named", "[lock][hostile]") {
    TemporaryDirectory dir;
    std::filesystem::create_directory(dir / "parent");
    auto path = LockPath::open(dir / "parent/a.lock");
    REQUIRE(path);
    std::filesystem::remove(dir / "parent");
    auto lock = DirectoryLock::acquire(*path, record_of("r1"), {});
    REQUIRE_FALSE(lock);
    CHECK(lock.error().failure == Failure::lock);
    CHECK_THAT(lock.error().text, Contains(dir / "parent") && Contains("has been removed"));
}

TEST_CASE("a name that is too long is refused as such", "[lock][hostile]") {
    TemporaryDirectory dir;
    CHECK_THAT(error_of(dir / std::string(300, 'n')), Contains("too long"));
}

TEST_CASE("control characters in a place reach no terminal", "[lock][hostile]") {
    TemporaryDirectory dir;
    write_all(dir / "a\x1b[2J.lock", "");
    const std::string text = error_of(dir / "a\x1b[2J.lock");
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK_THAT(text, Contains("is a plain file"));
}

TEST_CASE("a record that is a link, a directory or a fifo stops the run, and what it leads to is left alone",
          "[lock][hostile]") {
    TemporaryDirectory dir;
    const std::string kind = GENERATE("link", "directory", "fifo");
    REQUIRE(::mkdir((dir / "a.lock").c_str(), 01700) == 0);
    write_all(dir / "precious", "precious");
    if (kind == "link") std::filesystem::create_symlink(dir / "precious", dir / "a.lock/record");
    if (kind == "directory") std::filesystem::create_directory(dir / "a.lock/record");
    if (kind == "fifo") REQUIRE(::mkfifo((dir / "a.lock/record").c_str(), 0600) == 0);
    INFO(kind);
    CHECK_THAT(refusal(dir / "a.lock"), Contains("whose record is not a file"));
    CHECK(read_all(dir / "precious") == "precious");
    CHECK(exists(dir / "a.lock/record"));
}

TEST_CASE("a read-only file system is named, and a lock that lies there is refused, too", "[lock][hostile]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    const int status = on_small_tmpfs(dir.path(), "size=64k", [&] {
        if (::mkdir((dir / "b.lock").c_str(), 01700) != 0) return 2;
        if (::mount("none", dir.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return 3;
        if (error_of(dir / "a.lock").find(dir.path() + " is on a read-only file system") == std::string::npos) return 4;
        return error_of(dir / "b.lock").find("Read-only file system") == std::string::npos ? 5 : 0;
    });
    if (status == kCannotMount) {
        WARN("skipped: no private mount namespace here");
        return;
    }
    CHECK(status == 0);
}

TEST_CASE("no room for the record: a clear error, and no lock is left", "[lock][hostile]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    const int status = on_small_tmpfs(dir.path(), "size=16k", [&] {
        write_all(dir / "fill", std::string(64 * 1024, 'x'));
        for (int i = 0; i < 3; ++i) {
            const std::string text = error_of(dir / "a.lock");
            if (text.find("writing the lock's record: No space left on device") == std::string::npos) return 2;
            if (exists(dir / "a.lock")) return 3;
        }
        std::filesystem::remove(dir / "fill");
        auto lock = acquire(dir / "a.lock");  // the fault was the room and nothing else
        return lock && lock->release() ? 0 : 4;
    });
    if (status == kCannotMount) {
        WARN("skipped: no private mount namespace here");
        return;
    }
    CHECK(status == 0);
}

TEST_CASE("no inode for the directory or for the record: a clear error, and no lock is left", "[lock][hostile]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    const int status = on_small_tmpfs(dir.path(), "nr_inodes=2", [&] {
        if (error_of(dir / "a.lock").find("making the lock's record: No space left") == std::string::npos) return 2;
        if (exists(dir / "a.lock")) return 3;
        write_all(dir / "fill", "");
        return error_of(dir / "a.lock").find("cannot be made: No space left") == std::string::npos ? 4 : 0;
    });
    if (status == kCannotMount) {
        WARN("skipped: no private mount namespace here");
        return;
    }
    CHECK(status == 0);
}

TEST_CASE("a run in whose lifetime the disk fills up can still say which phase it is in", "[lock][hostile]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    const int status = on_small_tmpfs(dir.path(), "size=16k", [&] {
        auto lock = acquire(dir / "a.lock");
        if (!lock) return 2;
        write_all(dir / "fill", std::string(64 * 1024, 'x'));
        LockRecord record = lock->record();
        record.phase = "order o17, second";
        if (!lock->update(record)) return 3;
        return lock->release() ? 0 : 4;
    });
    if (status == kCannotMount) {
        WARN("skipped: no private mount namespace here");
        return;
    }
    CHECK(status == 0);
}

TEST_CASE("no descriptor left, at any point of the way: a clear error, and no lock is left", "[lock][hostile]") {
    TemporaryDirectory dir;
    Process child([&] {
        ::close_range(3, ~0U, 0);  // no gaps in the numbers
        auto path = LockPath::open(dir / "a.lock");
        if (!path) return 1;
        LockRecord record = record_of("r1");
        fill_in_self(record);
        int refusals = 0;
        // The limit is a number, not a count: with all below it in use, `room` is what is left.
        const int lowest_free = ::dup(0);
        ::close(lowest_free);
        for (int room = 0; room < 8; ++room) {
            const rlimit limit{static_cast<rlim_t>(lowest_free + room), 4096};
            if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 2;
            auto lock = DirectoryLock::acquire(*path, record, {});
            if (lock) return lock->release() && !exists(dir / "a.lock") && refusals == 3 ? 0 : 3;
            if (lock.error().errno_value != EMFILE) return 4;
            if (lock.error().text.find(dir / "a.lock") == std::string::npos) return 5;
            if (exists(dir / "a.lock")) return 6;
            ++refusals;
        }
        return 7;
    });
    CHECK(child.join() == 0);
}
