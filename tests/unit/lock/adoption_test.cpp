// What a killed run leaves: its directory, its record, and perhaps a command that is still at work.

#include <sys/file.h>

#include <atomic>
#include <catch2/catch.hpp>

#include "lock_support.hpp"

using namespace lock_test;
using Catch::Matchers::Contains;

namespace {

/// Leaves a lock behind, by SIGKILL.
pid_t leave_behind(const std::string& path, LockRecord record = record_of("dead")) {
    Holder holder(path, std::move(record));
    const pid_t pid = holder.pid();
    holder.kill();
    REQUIRE(exists(path + "/record"));
    return pid;
}

}  // namespace

TEST_CASE("a lock left behind by a killed run is adopted in place, and says whose it was", "[lock][adopt]") {
    TemporaryDirectory dir;
    LockRecord dead = record_of("dead");
    dead.phase = "order o17, second";
    dead.journal = "/state/ship-orders.db";
    const pid_t pid = leave_behind(dir / "a.lock", dead);
    struct stat before{};
    REQUIRE(::stat((dir / "a.lock/record").c_str(), &before) == 0);
    LockRecord mine = record_of("alive");
    mine.journal = dead.journal;
    auto lock = acquire(dir / "a.lock", {}, mine);
    REQUIRE(lock);
    REQUIRE(lock->adopted());
    CHECK(lock->adopted()->record.run_id == "dead");
    CHECK(lock->adopted()->record.guardian_pid == pid);
    CHECK(lock->adopted()->record.phase == "order o17, second");
    struct stat after{};
    REQUIRE(::stat((dir / "a.lock/record").c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);
    const LockRecord now = parse_lock_record(read_all(dir / "a.lock/record"));
    CHECK(now.run_id == "alive");
    CHECK(now.guardian_pid == ::getpid());
    CHECK(now.phase.empty());
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a directory of a run that was killed before it wrote its record is taken, with nothing to say", "[lock][adopt]") {
    TemporaryDirectory dir;
    REQUIRE(::mkdir((dir / "a.lock").c_str(), 01700) == 0);
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    CHECK_FALSE(lock->adopted());
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("an empty or damaged record, as a power cut leaves it, is adopted as far as it goes", "[lock][adopt]") {
    TemporaryDirectory dir;
    REQUIRE(::mkdir((dir / "a.lock").c_str(), 01700) == 0);
    const std::string text = GENERATE(as<std::string>{}, "", "run dead\nguar", std::string(5'000, '\0'));
    write_all(dir / "a.lock/record", text);
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    REQUIRE(lock->adopted());
    CHECK(lock->adopted()->record.run_id == (text.starts_with("run") ? "dead" : ""));
    CHECK(parse_lock_record(read_all(dir / "a.lock/record")).run_id == "r1");
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a live holder is never adopted, whatever its record says", "[lock][adopt]") {
    TemporaryDirectory dir;
    Holder holder(dir / "a.lock");
    write_all(dir / "a.lock/record", "run old\nguardian 999999999\nsince_ms 1\n");
    CHECK_THAT(error_of(dir / "a.lock"), Contains("busy: "));
    CHECK(exists(dir / "a.lock/record"));
    std::filesystem::remove(dir / "a.lock/record");
    CHECK_THAT(error_of(dir / "a.lock"), Contains("has not written its record yet"));
    holder.go_on();
    CHECK(holder.join() == 0);
}

TEST_CASE("a run that would keep another journal for the same job does not adopt, and changes nothing", "[lock][adopt]") {
    TemporaryDirectory dir;
    LockRecord dead = record_of("dead");
    dead.journal = "/var/lib/lockstep/ship-orders.db";
    leave_behind(dir / "a.lock", dead);
    const std::string before = read_all(dir / "a.lock/record");
    LockRecord mine = record_of("alive");
    mine.journal = "/home/me/ship-orders.db";
    auto lock = acquire(dir / "a.lock", {}, mine);
    REQUIRE_FALSE(lock);
    CHECK(lock.error().failure == Failure::lock);
    CHECK_THAT(lock.error().text, Contains(dead.journal) && Contains(mine.journal) && Contains("--state-dir"));
    CHECK(read_all(dir / "a.lock/record") == before);
    mine.job = "another-job";
    auto other = acquire(dir / "a.lock", {}, mine);
    REQUIRE(other);
    CHECK(other->adopted());
}

TEST_CASE("of many that find a lock left behind one adopts, and the others wait for it", "[lock][adopt]") {
    TemporaryDirectory dir;
    leave_behind(dir / "a.lock");
    std::vector<std::unique_ptr<Process>> contenders;
    for (int i = 0; i < 8; ++i) {
        contenders.push_back(std::make_unique<Process>([&] {
            auto lock = acquire(dir / "a.lock", for_at_most(20'000), record_of("alive"));
            if (!lock) return 100;
            const bool adopted = lock->adopted().has_value();
            return lock->release() ? (adopted ? 1 : 0) : 101;
        }));
    }
    int adopters = 0;
    for (auto& contender : contenders) {
        const int status = contender->join();
        CHECK(status <= 1);
        adopters += status;
    }
    CHECK(adopters == 1);
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("while an orphaned command is at work the lock is busy, by the orphan's pid", "[lock][adopt]") {
    TemporaryDirectory dir;
    const MarkedBy by = GENERATE(MarkedBy::record, MarkedBy::file);
    Orphan orphan(dir / "a.lock", by);
    const std::string text = error_of(dir / "a.lock");
    CHECK_THAT(text, Contains("busy: pid " + std::to_string(orphan.pid()) + ", a command that a killed run left at work"));
    CHECK_THAT(error_of(dir / "a.lock", for_at_most(50)), Contains("pid " + std::to_string(orphan.pid())));
    CHECK(exists(dir / "a.lock/c.1") == (by == MarkedBy::file));
    CHECK(exists(dir / "a.lock/record"));
    orphan.end();
}

TEST_CASE("whoever waits for an orphaned command gets the lock when the command ends, and clears its mark away",
          "[lock][adopt]") {
    TemporaryDirectory dir;
    Orphan orphan(dir / "a.lock", GENERATE(MarkedBy::record, MarkedBy::file));
    LockWait wait = for_at_most(20'000);
    int announced = 0;
    wait.on_wait = [&](const std::string& holder) {
        ++announced;
        CHECK_THAT(holder, Contains("pid " + std::to_string(orphan.pid())));
        orphan.end();
    };
    auto lock = acquire(dir / "a.lock", wait);
    REQUIRE(lock);
    CHECK(announced == 1);
    CHECK(lock->adopted());
    CHECK_FALSE(exists(dir / "a.lock/c.1"));
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a daemon that a finished command left behind keeps nothing", "[lock][adopt]") {
    TemporaryDirectory dir;
    Process daemon([&] {
        auto lock = acquire(dir / "a.lock", {}, record_of("dead"));
        auto mark = lock->mark_command();
        const int kept = mark->fd.get();
        const pid_t heir = ::fork();
        if (heir == 0) {
            // The heir keeps the mark's descriptor and nothing else of the lock.
            Process::say_ready();
            ::close_range(3, static_cast<unsigned>(kept) - 1, 0);
            ::close_range(static_cast<unsigned>(kept) + 1, ~0U, 0);
            ::pause();
            ::_exit(0);
        }
        lock->unmark_command(std::move(*mark));
        ::waitpid(heir, nullptr, 0);
        return 0;
    });
    REQUIRE(daemon.ready());
    REQUIRE(eventually([&] { return exists(dir / "a.lock/record") && !exists(dir / "a.lock/c.1"); }));
    const pid_t heir =
        std::stoi(read_all("/proc/" + std::to_string(daemon.pid()) + "/task/" + std::to_string(daemon.pid()) + "/children"));
    daemon.kill();
    // The heir's copies of the run's descriptors go a moment after it is ready.
    auto lock = acquire(dir / "a.lock", for_at_most(10'000));
    CHECK(lock);
    ::kill(heir, SIGKILL);
}

TEST_CASE("what a finished command left running keeps nothing of the record, which the next one's command marks in its turn",
          "[lock][adopt]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    const UniqueFd heir(::fcntl(lock->lend_record(), F_DUPFD_CLOEXEC, 3));
    REQUIRE(mark_record(heir.get()) == 0);
    const UniqueFd look(::open((dir / "a.lock/record").c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(::flock(look.get(), LOCK_EX | LOCK_NB) != 0);
    Process next([&] {
        auto mine = acquire(dir / "a.lock", for_at_most(20'000));
        return mine && mark_record(mine->lend_record()) == 0 && mine->release() ? 0 : 1;
    });
    REQUIRE(eventually([&] { return sleeps_in_flock(next.pid()); }));
    CHECK(lock->release());
    CHECK(next.join() == 0);
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("marks are removed at the release, other names that begin alike are not", "[lock][adopt]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    auto first = lock->mark_command();
    auto second = lock->mark_command();
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->number != second->number);
    CHECK(exists(dir / "a.lock/c.2"));
    CHECK(::flock(UniqueFd(::open((dir / "a.lock/c.1").c_str(), O_RDONLY | O_CLOEXEC)).get(), LOCK_EX | LOCK_NB) != 0);
    lock->unmark_command(std::move(*first));
    CHECK_FALSE(exists(dir / "a.lock/c.1"));
    CHECK(lock->mark_command());
    CHECK(exists(dir / "a.lock/c.3"));
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a mark that cannot be removed is told with its reason, and nothing is taken over", "[lock][adopt]") {
    TemporaryDirectory dir;
    leave_behind(dir / "a.lock");
    std::filesystem::create_directory(dir / "a.lock/c.2");
    const std::string record = read_all(dir / "a.lock/record");
    CHECK_THAT(error_of(dir / "a.lock"),
               Contains("removing c.2, which a killed run left in the lock directory: Is a directory"));
    CHECK(read_all(dir / "a.lock/record") == record);
    std::filesystem::remove(dir / "a.lock/c.2");
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    CHECK(lock->adopted());
}

TEST_CASE("marks whose commands have ended are no obstacle, in whatever state they are", "[lock][adopt]") {
    TemporaryDirectory dir;
    leave_behind(dir / "a.lock");
    write_all(dir / "a.lock/c.1", "pid 11");
    write_all(dir / "a.lock/c.2", "");
    std::filesystem::create_symlink("/etc/passwd", dir / "a.lock/c.3");
    REQUIRE(::mkfifo((dir / "a.lock/c.4").c_str(), 0600) == 0);
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    CHECK(lock->mark_command());
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("whoever finds the record that he was about to take over removed does not wait for himself", "[lock][adopt]") {
    TemporaryDirectory dir;
    std::atomic<bool> over = false;
    std::thread remover([&, record = (dir / "a.lock") + "/record"] {
        while (!over) {
            const UniqueFd made(::open(record.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
            ::unlink(record.c_str());
        }
    });
    // The moment is short: without the guard one in some thousand of these says that the lock is busy.
    std::string wrong;
    for (int i = 0; i < 3000 && wrong.empty(); ++i) {
        auto lock = acquire(dir / "a.lock");
        if (!lock && lock.error().failure == Failure::busy) wrong = lock.error().text;
        if (lock) (void)lock->release();
    }
    over = true;
    remover.join();
    CHECK(wrong.empty());
}
