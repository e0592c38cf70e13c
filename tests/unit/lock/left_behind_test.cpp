// Removing what a dead run left, and telling a living one to stop.

#include "lock/left_behind.hpp"

#include <sys/file.h>

#include <catch2/catch.hpp>

#include "lock/holder_process.hpp"
#include "lock_support.hpp"

using namespace lock_test;

namespace {

/// Kills a holder and gives back what it had written.
LockRecord leave_behind(const std::string& path, const std::string& run_id, const std::string& journal = "") {
    LockRecord record = record_of(run_id);
    record.journal = journal;
    Holder(path, record).kill();
    const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return read_lock_record(directory.get()).value();
}

}  // namespace

TEST_CASE("the lock of a dead run is removed, also one that kept a journal", "[left_behind]") {
    const TemporaryDirectory directory;
    const LockRecord left = leave_behind(directory / "a.lock", "r1", "/state/ship.sqlite3");
    CHECK(remove_left_behind(directory / "a.lock", left, "mine"));
    CHECK_FALSE(exists(directory / "a.lock"));
}

TEST_CASE("another dead run's record than the one that is meant stays as it is", "[left_behind]") {
    const TemporaryDirectory directory;
    leave_behind(directory / "a.lock", "r2");
    const std::string before = read_all(directory / "a.lock/record");
    const auto removed = remove_left_behind(directory / "a.lock", record_of("r1"), "mine");
    REQUIRE_FALSE(removed);
    CHECK(removed.error().failure == Failure::busy);
    CHECK(removed.error().text.find("run r2 has left it behind") != std::string::npos);
    CHECK(read_all(directory / "a.lock/record") == before);
}

TEST_CASE("a lock whose flock is held is not removed, whatever its record says", "[left_behind]") {
    const TemporaryDirectory directory;
    const LockRecord left = leave_behind(directory / "a.lock", "r1");
    const UniqueFd fd(::open((directory / "a.lock").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(::flock(fd.get(), LOCK_EX | LOCK_NB) == 0);
    const auto removed = remove_left_behind(directory / "a.lock", left, "mine");
    REQUIRE_FALSE(removed);
    CHECK(removed.error().failure == Failure::busy);
    CHECK(exists(directory / "a.lock/record"));
}

TEST_CASE("a living process is told to stop, and its end is seen", "[holder_process]") {
    Process process([] {
        ::signal(SIGTERM, SIG_DFL);  // Catch has a handler of its own
        Process::say_ready_and_wait();
        return 0;
    });
    REQUIRE(process.ready());
    LockRecord record;
    record.guardian_pid = process.pid();
    fill_in_self(record);
    const auto holder = HolderProcess::open(record);
    REQUIRE(holder);
    CHECK(holder->pid() == process.pid());
    sigset_t mask;
    ::sigemptyset(&mask);
    CHECK_FALSE(holder->wait_for_end(Millis{1}, mask));
    CHECK(holder->ask_to_stop());
    CHECK(holder->wait_for_end(std::nullopt, mask));
    CHECK(process.join() == 128 + SIGTERM);
    CHECK(holder->ask_to_stop());  // too late, and no matter
}

TEST_CASE("a process that is not the record's is never opened", "[holder_process]") {
    LockRecord record;
    fill_in_self(record);
    CHECK(HolderProcess::open(record));
    SECTION("it started later") { record.guardian_start = 1; }
    SECTION("it lives in another pid namespace") { record.pid_namespace = 42; }
    SECTION("it lived before the machine was started anew") { record.boot_id = "00000000"; }
    SECTION("none was written down") { record.guardian_pid = 0; }
    const auto holder = HolderProcess::open(record);
    REQUIRE_FALSE(holder);
    CHECK(holder.error().failure == Failure::busy);
}
