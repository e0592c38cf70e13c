#include "lock/directory_lock.hpp"

#include <sys/file.h>

#include <catch2/catch.hpp>

#include <stdexcept>

#include "lock_support.hpp"

using namespace lock_test;
using Catch::Matchers::Contains;

namespace {

/// What the body writes to stderr.
std::string stderr_of(const std::function<void()>& body) {
    TemporaryDirectory dir;
    const UniqueFd saved(::dup(2));
    const UniqueFd file(::open((dir / "stderr").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ::dup2(file.get(), 2);
    body();
    ::dup2(saved.get(), 2);
    return read_all(dir / "stderr");
}

/// The umask, put back at the end.
class Umask {
  public:
    explicit Umask(mode_t mask) : before_(::umask(mask)) {}
    ~Umask() { ::umask(before_); }

  private:
    mode_t before_;
};

}  // namespace

TEST_CASE("the lock is a sticky directory with a record, and it is gone after the release", "[lock]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    CHECK(mode_of(dir / "a.lock") == 01700);
    CHECK(mode_of(dir / "a.lock/record") == 0600);
    CHECK(lock->path() == dir / "a.lock");
    CHECK(lock->still_ours());
    CHECK_FALSE(lock->adopted());
    const std::string text = read_all(dir / "a.lock/record");
    CHECK(is_whole_record(text));
    const LockRecord record = parse_lock_record(text);
    CHECK(record.run_id == "r1");
    CHECK(record.guardian_pid == ::getpid());
    CHECK(record.since_ms > 0);
    CHECK_FALSE(record.boot_id.empty());
    CHECK(record.pid_namespace != 0);
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
    CHECK_FALSE(lock->still_ours());
    CHECK(lock->release());
    CHECK_FALSE(lock->update(record_of("late")));
    CHECK_FALSE(lock->mark_command());
}

TEST_CASE("a second one is told who holds the lock, in the same process as in another", "[lock]") {
    TemporaryDirectory dir;
    LockRecord record = record_of("r1");
    record.phase = "order o17, second";
    auto lock = acquire(dir / "a.lock", {}, record);
    REQUIRE(lock);
    auto second = acquire(dir / "a.lock");
    REQUIRE_FALSE(second);
    CHECK(second.error().failure == Failure::busy);
    CHECK_THAT(second.error().text,
               Contains("busy: pid " + std::to_string(::getpid()) + " since ") && Contains(", order o17, second"));
    Process other([&] { return error_of(dir / "a.lock").find("order o17, second") != std::string::npos ? 0 : 1; });
    CHECK(other.join() == 0);
    CHECK(lock->still_ours());
}

TEST_CASE("a mkdir-style script sees the lock", "[lock]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    const std::string mkdir = "mkdir " + (dir / "a.lock") + " 2>/dev/null && rmdir " + (dir / "a.lock");
    CHECK(std::system(mkdir.c_str()) != 0);
    REQUIRE(lock->release());
    CHECK(std::system(mkdir.c_str()) == 0);
}

TEST_CASE("the record is rewritten in place and never gets shorter", "[lock]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    struct stat before{};
    REQUIRE(::stat((dir / "a.lock/record").c_str(), &before) == 0);
    LockRecord record = lock->record();
    record.journal = "/" + std::string(1500, 'j');
    REQUIRE(lock->update(record));
    struct stat longer{};
    REQUIRE(::stat((dir / "a.lock/record").c_str(), &longer) == 0);
    record.journal.clear();
    record.phase = "order o18, first";
    REQUIRE(lock->update(record));
    struct stat after{};
    REQUIRE(::stat((dir / "a.lock/record").c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);
    CHECK(after.st_size == longer.st_size);
    const LockRecord read = parse_lock_record(read_all(dir / "a.lock/record"));
    CHECK(read.phase == "order o18, first");
    CHECK(read.journal.empty());
    CHECK(lock->record().phase == "order o18, first");
}

TEST_CASE("the destructor gives the lock back, also when an exception flies", "[lock]") {
    TemporaryDirectory dir;
    {
        auto lock = acquire(dir / "a.lock");
        REQUIRE(lock);
    }
    CHECK_FALSE(exists(dir / "a.lock"));
    const auto failing = [&] {
        auto lock = acquire(dir / "a.lock");
        if (lock && exists(dir / "a.lock")) throw std::runtime_error("in the middle of the work");
    };
    CHECK_THROWS_WITH(failing(), "in the middle of the work");
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("the destructor says so when the lock cannot be given back whole", "[lock]") {
    TemporaryDirectory dir;
    const std::string said = stderr_of([&] {
        auto lock = acquire(dir / "a.lock");
        write_all(dir / "a.lock/notes.txt", "mine");
    });
    CHECK_THAT(said, Contains(dir / "a.lock") && Contains("notes.txt"));
}

TEST_CASE("a guard that was moved from releases nothing, and assignment gives back what it replaces", "[lock]") {
    TemporaryDirectory dir;
    auto first = acquire(dir / "a.lock");
    auto second = acquire(dir / "b.lock");
    REQUIRE(first);
    REQUIRE(second);
    {
        DirectoryLock moved = std::move(*first);
        CHECK(moved.still_ours());
        CHECK_FALSE(first->still_ours());
        CHECK(first->release());
        CHECK(exists(dir / "a.lock/record"));
        moved = std::move(*second);
        CHECK_FALSE(exists(dir / "a.lock"));
        CHECK(moved.path() == dir / "b.lock");
        CHECK(moved.still_ours());
    }
    CHECK_FALSE(exists(dir / "b.lock"));
}

TEST_CASE("a copy of the guard in a forked child releases nothing", "[lock]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    Process child([&] {
        if (!lock->release()) return 1;
        return 0;
    });
    CHECK(child.join() == 0);
    Process by_destructor([&] {
        {
            const DirectoryLock copy = std::move(*lock);
        }
        return 0;
    });
    CHECK(by_destructor.join() == 0);
    CHECK(exists(dir / "a.lock/record"));
    CHECK(lock->still_ours());
    CHECK_THAT(error_of(dir / "a.lock"), Contains("busy: pid"));
    CHECK(lock->release());
}

TEST_CASE("a lock that was removed and made anew is lost: noticed, said, and the successor's is left alone", "[lock]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    std::filesystem::remove_all(dir / "a.lock");
    CHECK_FALSE(lock->still_ours());
    Holder successor(dir / "a.lock");
    CHECK_FALSE(lock->still_ours());
    const auto released = lock->release();
    REQUIRE_FALSE(released);
    CHECK(released.error().failure == Failure::lock);
    CHECK_THAT(released.error().text, Contains("lock lost"));
    CHECK(lock->release());  // once is enough
    CHECK(exists(dir / "a.lock/record"));
    successor.go_on();
    CHECK(successor.join() == 0);
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a lock that was renamed away is lost, and its record goes with the run", "[lock]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    std::filesystem::rename(dir / "a.lock", dir / "b.lock");
    CHECK_FALSE(lock->still_ours());
    CHECK_THAT(lock->release().error().text, Contains("lock lost"));
    CHECK_FALSE(exists(dir / "b.lock/record"));
}

TEST_CASE("files of others in the directory are never deleted: it stays, is said, and the next run takes it", "[lock]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    write_all(dir / "a.lock/notes.txt", "mine");
    write_all(dir / "a.lock/c.txt", "no mark");
    const auto released = lock->release();
    REQUIRE_FALSE(released);
    CHECK_THAT(released.error().text, Contains("c.txt, notes.txt") && Contains("stays"));
    CHECK(read_all(dir / "a.lock/notes.txt") == "mine");
    CHECK_FALSE(exists(dir / "a.lock/record"));
    auto next = acquire(dir / "a.lock");
    REQUIRE(next);
    CHECK_FALSE(next->adopted());
    std::filesystem::remove(dir / "a.lock/notes.txt");
    std::filesystem::remove(dir / "a.lock/c.txt");
    CHECK(next->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("whatever the umask, the directory and its record can be used by us and by the next run", "[lock]") {
    TemporaryDirectory dir;
    REQUIRE(::chmod(dir.path().c_str(), 01777) == 0);
    const mode_t mask = GENERATE(0777, 0277, 0477, 0177, 0022, 0);
    const bool unprivileged = GENERATE(false, true);
    if (unprivileged && !is_root()) return;
    INFO("umask " << std::oct << mask << " unprivileged " << unprivileged);
    const std::function<int()> body = [&] {
        const Umask odd(mask);
        {
            ::mkdir((dir / "probe").c_str(), 01700);
            if (mode_of(dir / "probe") != (01700 & ~mask)) return 9;  // the fault is there
            ::rmdir((dir / "probe").c_str());
        }
        auto lock = acquire(dir / "a.lock");
        if (!lock) return 1;
        if (mode_of(dir / "a.lock") != 01700 || mode_of(dir / "a.lock/record") != 0600) return 2;
        if (!lock->mark_command()) return 3;
        if (error_of(dir / "a.lock").find("busy") == std::string::npos) return 4;
        return lock->release() && !exists(dir / "a.lock") ? 0 : 5;
    };
    CHECK((unprivileged ? as_nobody(body) : body()) == 0);
}

TEST_CASE("a run killed right after mkdir under umask 0777 leaves nothing that the next could not take", "[lock]") {
    SKIP_UNLESS_ROOT();
    TemporaryDirectory dir;
    REQUIRE(::chmod(dir.path().c_str(), 01777) == 0);
    CHECK(as_nobody([&] {
              if (::mkdir((dir / "a.lock").c_str(), 01700) != 0) return 1;
              const UniqueFd directory(::open((dir / "a.lock").c_str(), O_RDONLY | O_DIRECTORY));
              write_all(dir / "a.lock/record", "run dead\n");
              ::chmod((dir / "a.lock/record").c_str(), 0);
              ::chmod((dir / "a.lock").c_str(), 01000);
              if (::open((dir / "a.lock").c_str(), O_RDONLY | O_DIRECTORY) >= 0) return 2;  // the fault is there
              auto lock = acquire(dir / "a.lock");
              if (!lock || !lock->adopted() || lock->adopted()->record.run_id != "dead") return 3;
              return lock->release() ? 0 : 4;
          }) == 0);
}

TEST_CASE("a setgid parent changes the mode, not the lock", "[lock]") {
    TemporaryDirectory dir;
    REQUIRE(::chmod(dir.path().c_str(), 02700) == 0);
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    CHECK(mode_of(dir / "a.lock") == 03700);  // the fault is there: not 01700
    CHECK_THAT(error_of(dir / "a.lock"), Contains("busy: pid"));
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("the lock gives every descriptor back", "[lock]") {
    TemporaryDirectory dir;
    const auto open_fds = [] {
        std::filesystem::directory_iterator fds("/proc/self/fd");
        return std::distance(begin(fds), end(fds));
    };
    {
        auto warm = acquire(dir / "a.lock");
    }
    const auto before = open_fds();
    for (int i = 0; i < 20; ++i) {
        auto lock = acquire(dir / "a.lock");
        REQUIRE(lock);
        CHECK_FALSE(acquire(dir / "a.lock/record"));
        if (i % 2 == 0) CHECK(lock->release());
    }
    CHECK(open_fds() <= before);  // fewer: a thread of an earlier test's wait has ended since
}
