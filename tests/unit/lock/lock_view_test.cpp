// Looking at a lock tells who holds it, and changes nothing for anybody.

#include "lock/lock_view.hpp"

#include <sys/file.h>

#include <catch2/catch.hpp>

#include "lock_support.hpp"

using namespace lock_test;

namespace {

/// A lock directory as a run leaves it that was killed: with a record, held by nobody.
void leave_behind(const std::string& path, const LockRecord& record) {
    REQUIRE(::mkdir(path.c_str(), 01700) == 0);
    REQUIRE(::chmod(path.c_str(), 01700) == 0);
    write_all(path + "/record", to_text(record));
}

LockRecord of_this_process() {
    LockRecord record = record_of("r7");
    fill_in_self(record);
    return record;
}

pid_t dead_pid() {
    Process child([] { return 0; });
    const pid_t pid = child.pid();
    child.join();
    return pid;
}

}  // namespace

TEST_CASE("where no lock directory is, the lock is free, and none is made", "[lock_view]") {
    const TemporaryDirectory directory;
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::free);
    CHECK(view.path == directory / "a.lock");
    CHECK_FALSE(exists(directory / "a.lock"));
}

TEST_CASE("a lock held by a live process is held, by whom and since when", "[lock_view]") {
    const TemporaryDirectory directory;
    LockRecord record = record_of("r9");
    record.phase = "order o17, second";
    const Holder holder(directory / "a.lock", record);
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::held);
    REQUIRE(view.record.has_value());
    CHECK(view.record->run_id == "r9");
    CHECK(view.text.find("held by pid " + std::to_string(holder.pid())) == 0);
    CHECK(view.text.find("order o17, second") != std::string::npos);
}

TEST_CASE("looking at a lock makes no contender wait", "[lock_view]") {
    const TemporaryDirectory directory;
    leave_behind(directory / "a.lock", of_this_process());
    const UniqueFd fd(::open((directory / "a.lock").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(::flock(fd.get(), LOCK_EX | LOCK_NB) == 0);
    CHECK(look_at_lock(directory / "a.lock").state == LockState::held);  // although flock(2) would wait
    CHECK(::flock(fd.get(), LOCK_UN) == 0);
    for (int i = 0; i < 100; ++i) {
        CHECK(look_at_lock(directory / "a.lock").state == LockState::held);
        CHECK(::flock(fd.get(), LOCK_EX | LOCK_NB) == 0);
        CHECK(::flock(fd.get(), LOCK_UN) == 0);
    }
}

TEST_CASE("a lock whose process is dead was left behind", "[lock_view]") {
    const TemporaryDirectory directory;
    LockRecord record = of_this_process();
    record.guardian_pid = dead_pid();
    leave_behind(directory / "a.lock", record);
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::left_behind);
    CHECK(view.text.find("left behind by run r7") == 0);
}

TEST_CASE("a lock whose process nobody reaps was left behind all the same", "[lock_view]") {
    const TemporaryDirectory directory;
    Process zombie([] { return 0; });
    REQUIRE(eventually(
        [&] { return read_all("/proc/" + std::to_string(zombie.pid()) + "/stat").find(") Z ") != std::string::npos; }));
    LockRecord record = of_this_process();
    record.guardian_pid = zombie.pid();
    leave_behind(directory / "a.lock", record);
    CHECK(look_at_lock(directory / "a.lock").state == LockState::left_behind);
    zombie.join();
}

TEST_CASE("a process that has the dead holder's pid now does not hold the lock", "[lock_view]") {
    const TemporaryDirectory directory;
    LockRecord record = of_this_process();
    record.guardian_start = 1;
    leave_behind(directory / "a.lock", record);
    CHECK(look_at_lock(directory / "a.lock").state == LockState::left_behind);
}

TEST_CASE("a lock from before the last boot was left behind, whoever has its pid now", "[lock_view]") {
    const TemporaryDirectory directory;
    LockRecord record = of_this_process();
    record.boot_id = "00000000-0000-0000-0000-000000000000";
    leave_behind(directory / "a.lock", record);
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::left_behind);
    CHECK(view.text.find("started anew") != std::string::npos);
}

TEST_CASE("the lock of another pid namespace is not said to be left behind", "[lock_view]") {
    const TemporaryDirectory directory;
    LockRecord record = of_this_process();
    record.guardian_pid = dead_pid();
    record.pid_namespace = 42;
    record.host = "container-3";
    leave_behind(directory / "a.lock", record);
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::unknown);
    CHECK(view.text.find("container-3") != std::string::npos);
}

TEST_CASE("a lock left behind whose command is still at work says so", "[lock_view]") {
    const TemporaryDirectory directory;
    LockRecord record = of_this_process();
    record.guardian_pid = dead_pid();
    leave_behind(directory / "a.lock", record);
    write_all(directory / "a.lock/c.1", "pid " + std::to_string(::getpid()) + "\n");
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::left_behind);
    CHECK(view.text.find("pid " + std::to_string(::getpid()) + ", a command") != std::string::npos);
}

TEST_CASE("a directory that a script made is foreign, and a file is no lock", "[lock_view]") {
    const TemporaryDirectory directory;
    REQUIRE(::mkdir((directory / "a.lock").c_str(), 0755) == 0);
    CHECK(look_at_lock(directory / "a.lock").state == LockState::foreign);
    write_all(directory / "b.lock", "");
    CHECK(look_at_lock(directory / "b.lock").state == LockState::foreign);
}

TEST_CASE("a lock whose record is not written yet is not said to be left behind", "[lock_view]") {
    const TemporaryDirectory directory;
    REQUIRE(::mkdir((directory / "a.lock").c_str(), 01700) == 0);
    REQUIRE(::chmod((directory / "a.lock").c_str(), 01700) == 0);
    CHECK(look_at_lock(directory / "a.lock").state == LockState::unknown);
}

TEST_CASE("a record that is empty tells of no dead run", "[lock_view]") {
    const TemporaryDirectory directory;
    leave_behind(directory / "a.lock", {});
    write_all(directory / "a.lock/record", "");
    LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::unknown);
    CHECK_FALSE(view.record.has_value());
    CHECK(view.text.find("its record is empty") != std::string::npos);

    const UniqueFd holder(::open((directory / "a.lock").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(::flock(holder.get(), LOCK_EX | LOCK_NB) == 0);
    view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::held);
    CHECK(view.text == "held by pid " + std::to_string(::getpid()) + ", which has written no record yet");
}

TEST_CASE("a record that lost the end with its process tells of no dead run, either", "[lock_view]") {
    const TemporaryDirectory directory;
    leave_behind(directory / "a.lock", {});
    write_all(directory / "a.lock/record", "run r7\njob ship-orders\n");
    CHECK(look_at_lock(directory / "a.lock").state == LockState::unknown);
}

TEST_CASE("a reader whose record is empty has the run id that its file is named by", "[lock_view]") {
    const TemporaryDirectory directory;
    leave_behind(directory / "a.lock", {});
    REQUIRE(::unlink((directory / "a.lock/record").c_str()) == 0);
    write_all(directory / "a.lock/r.r7", "");
    LockView view = look_at_lock(directory / "a.lock");
    REQUIRE(view.record.has_value());
    CHECK(view.record->run_id == "r7");
    CHECK(view.state == LockState::unknown);

    const UniqueFd holder(::open((directory / "a.lock").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(::flock(holder.get(), LOCK_SH | LOCK_NB) == 0);
    view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::shared);
    CHECK_FALSE(view.is_taken_over);
}

TEST_CASE("a place that cannot hold a lock is unknown, and why", "[lock_view]") {
    const LockView view = look_at_lock("/nonexistent-directory/a.lock");
    CHECK(view.state == LockState::unknown);
    CHECK(view.text.find("/nonexistent-directory") != std::string::npos);
    REQUIRE(view.problem);
    CHECK(view.problem->errno_value == ENOENT);
    CHECK(view.problem->text.find("--lock") == std::string::npos);  // who looks has no use for another place
}

TEST_CASE("another user's lock cannot be looked into", "[lock_view]") {
    SKIP_UNLESS_ROOT();
    const TemporaryDirectory directory;
    REQUIRE(::chmod(directory.path().c_str(), 01777) == 0);
    leave_behind(directory / "a.lock", of_this_process());
    CHECK(as_nobody([&] { return look_at_lock(directory / "a.lock").state == LockState::unknown ? 0 : 1; }) == 0);
}
