#include <catch2/catch.hpp>

#include "lock_support.hpp"

using namespace lock_test;
using Catch::Matchers::Contains;

namespace {

std::string refusal(const std::string& place) {
    auto path = LockPath::open(place);
    REQUIRE_FALSE(path);
    CHECK(path.error().failure == Failure::lock);
    return path.error().text;
}

/// The working directory, put back at the end.
class WorkingDirectory {
  public:
    explicit WorkingDirectory(const std::string& path) : before_(std::filesystem::current_path()) {
        std::filesystem::current_path(path);
    }
    ~WorkingDirectory() { std::filesystem::current_path(before_); }

  private:
    std::filesystem::path before_;
};

}  // namespace

TEST_CASE("a bare name is a lock below /tmp, or below LOCKSTEP_LOCK_ROOT", "[lock]") {
    TemporaryDirectory dir;
    ::unsetenv("LOCKSTEP_LOCK_ROOT");
    REQUIRE(LockPath::open("ship-orders"));
    CHECK(LockPath::open("ship-orders")->text() == "/tmp/ship-orders.lock");
    ::setenv("LOCKSTEP_LOCK_ROOT", dir.path().c_str(), 1);
    CHECK(LockPath::open("ship-orders")->text() == dir / "ship-orders.lock");
    CHECK(LockPath::open("ship-orders")->name() == "ship-orders.lock");
    ::setenv("LOCKSTEP_LOCK_ROOT", "", 1);
    CHECK(LockPath::open("ship-orders")->text() == "/tmp/ship-orders.lock");
    ::unsetenv("LOCKSTEP_LOCK_ROOT");
}

TEST_CASE("a path is taken as it is, without the slashes at its end", "[lock]") {
    TemporaryDirectory dir;
    CHECK(LockPath::open(dir / "a.lock")->text() == dir / "a.lock");
    CHECK(LockPath::open(dir / "a.lock//")->text() == dir / "a.lock");
    CHECK(LockPath::open("/a.lock")->text() == "/a.lock");
}

TEST_CASE("a relative path means the place it had when it was given, whatever chdir follows", "[lock]") {
    TemporaryDirectory dir;
    TemporaryDirectory elsewhere;
    std::optional<Result<LockPath>> path;
    {
        const WorkingDirectory here(dir.path());
        path = LockPath::open("./a.lock");
    }
    REQUIRE(*path);
    CHECK((*path)->text() == dir / "a.lock");
    const WorkingDirectory there(elsewhere.path());
    auto lock = DirectoryLock::acquire(**path, record_of("r1"), {});
    REQUIRE(lock);
    CHECK(exists(dir / "a.lock"));
    CHECK_FALSE(exists(elsewhere / "a.lock"));
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a parent that is renamed while the lock is held takes the lock with it", "[lock]") {
    TemporaryDirectory dir;
    std::filesystem::create_directory(dir / "old");
    auto lock = acquire(dir / "old/a.lock");
    REQUIRE(lock);
    std::filesystem::rename(dir / "old", dir / "new");
    CHECK(lock->still_ours());
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "new/a.lock"));
}

TEST_CASE("a place whose last part is no name of its own is refused", "[lock]") {
    for (const char* place : {"", ".", "..", "/", "//", "/tmp/.", "/tmp/..", "./", "../"}) {
        INFO(place);
        CHECK_FALSE(LockPath::open(place));
    }
    CHECK_THAT(LockPath::open("").error().text, Contains("empty"));
    CHECK(LockPath::open("").error().failure == Failure::usage);
    CHECK_THAT(refusal("/tmp/.."), Contains("its last part must be a name"));
    CHECK_THAT(refusal(std::string("/tmp/a\0b", 8)), Contains("NUL"));
}

TEST_CASE("a missing parent is named, with what to do", "[lock]") {
    TemporaryDirectory dir;
    CHECK_THAT(refusal(dir / "no/a.lock"),
               Contains(dir / "no") && Contains("No such file or directory") && Contains("Create it"));
}

TEST_CASE("a parent that is a file is refused", "[lock]") {
    TemporaryDirectory dir;
    write_all(dir / "file", "");
    CHECK_THAT(refusal(dir / "file/a.lock"), Contains("Not a directory"));
}

TEST_CASE("a parent in which its group or everybody may write must be sticky", "[lock]") {
    TemporaryDirectory dir;
    std::filesystem::create_directory(dir / "open");
    struct Case {
        mode_t mode;
        const char* who;
        const char* remedy;
    };
    const Case open = GENERATE(Case{0777, "everybody may write", "chmod go-w"}, Case{0757, "everybody may write", "chmod o-w"},
                               Case{0775, "the group with gid", "chmod g-w"}, Case{02770, "the group with gid", "chmod g-w"});
    INFO(std::oct << open.mode);
    REQUIRE(::chmod((dir / "open").c_str(), open.mode) == 0);
    CHECK_THAT(refusal(dir / "open/a.lock"),
               Contains("no sticky bit") && Contains("chmod +t") && Contains(open.who) && Contains(open.remedy));
    REQUIRE(::chmod((dir / "open").c_str(), open.mode | 01000) == 0);
    CHECK(LockPath::open(dir / "open/a.lock"));
    REQUIRE(::chmod((dir / "open").c_str(), open.mode & ~static_cast<mode_t>(0022)) == 0);
    CHECK(LockPath::open(dir / "open/a.lock"));
}

TEST_CASE("a file system that is not known to be local is refused", "[lock]") {
    CHECK_THAT(refusal("/proc/self/a.lock"), Contains("not on a local file system") && Contains("with --lock"));
    CHECK_THAT(refusal("/sys/kernel/a.lock"), Contains("not on a local file system"));
}

TEST_CASE("a loop of symbolic links above the lock is refused", "[lock]") {
    TemporaryDirectory dir;
    std::filesystem::create_symlink("loop", dir / "loop");
    CHECK_THAT(refusal(dir / "loop/a.lock"), Contains("Too many levels of symbolic links"));
}
