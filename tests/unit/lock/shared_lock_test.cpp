// Readers: together with each other, never with a writer, and gone without a trace.

#include <sys/eventfd.h>
#include <sys/file.h>

#include <catch2/catch.hpp>

#include "lock/hand_over.hpp"
#include "lock/lock_attempt.hpp"
#include "lock/lock_view.hpp"
#include "lock_support.hpp"

using namespace lock_test;
using Catch::Matchers::Contains;

namespace {

/// A process that holds the lock in the given way until it is told to go on.
class Member : public Process {
  public:
    Member(const std::string& path, const std::string& run_id, LockMode mode, LockWait wait = {})
        : Process([=] {
              auto lock = acquire(path, wait, record_of(run_id), mode);
              if (!lock) return lock.error().failure == Failure::busy ? 3 : 1;
              say_ready_and_wait();
              return lock->release() ? 0 : 2;
          }) {}
};

struct Reader : Member {
    explicit Reader(const std::string& path, const std::string& run_id = "reader", LockWait wait = {})
        : Member(path, run_id, LockMode::shared, std::move(wait)) {}
};

LockWait forever() {
    LockWait wait;
    wait.limit = std::nullopt;
    return wait;
}

/// A process that waits for the lock; it sleeps in flock(2) when this returns.
std::unique_ptr<Member> waiting(const std::string& path, const std::string& run_id, LockMode mode) {
    auto member = std::make_unique<Member>(path, run_id, mode, forever());
    REQUIRE(eventually([&] { return sleeps_in_flock(member->pid()); }));
    return member;
}

bool sleeps_in_poll(pid_t pid) {
    return read_all("/proc/" + std::to_string(pid) + "/syscall").starts_with(std::to_string(SYS_poll) + " ");
}

bool is_stopped(pid_t pid) { return read_all("/proc/" + std::to_string(pid) + "/stat").find(") T ") != std::string::npos; }

}  // namespace

TEST_CASE("readers share the lock, each with its record, and the last one removes it", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    Reader first(lock, "one");
    REQUIRE(first.ready());
    Reader second(lock, "two");
    REQUIRE(second.ready());
    CHECK(parse_lock_record(read_all(lock + "/r.one")).guardian_pid == first.pid());
    CHECK(parse_lock_record(read_all(lock + "/r.two")).guardian_pid == second.pid());
    CHECK_FALSE(exists(lock + "/record"));
    first.go_on();
    CHECK(first.join() == 0);
    CHECK_FALSE(exists(lock + "/r.one"));
    CHECK(exists(lock + "/r.two"));
    second.go_on();
    CHECK(second.join() == 0);
    CHECK_FALSE(exists(lock));
}

TEST_CASE("a reader's record is kept under flock as long as it reads", "[lock][shared]") {
    const TemporaryDirectory dir;
    auto reader = acquire(dir / "a.lock", {}, record_of("one"), LockMode::shared);
    REQUIRE(reader);
    const UniqueFd file(::open((dir / "a.lock/r.one").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(file);
    CHECK(::flock(file.get(), LOCK_SH | LOCK_NB) != 0);
    CHECK(reader->release());
    CHECK(::flock(file.get(), LOCK_SH | LOCK_NB) == 0);
}

TEST_CASE("a writer keeps readers out, and a reader keeps writers out, by name", "[lock][shared]") {
    const TemporaryDirectory dir;
    const auto held_as = GENERATE(LockMode::exclusive, LockMode::shared);
    auto held = acquire(dir / "a.lock", {}, record_of("one"), held_as);
    REQUIRE(held);
    const auto other = held_as == LockMode::exclusive ? LockMode::shared : LockMode::exclusive;
    const auto refused = acquire(dir / "a.lock", {}, record_of("two"), other);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().failure == Failure::busy);
    CHECK_THAT(refused.error().text, Contains("busy: pid " + std::to_string(::getpid())));
    CHECK(held->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a run id that is no file name, or is there already, shares no lock and leaves nothing", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string id = GENERATE(as<std::string>{}, "", "a/b", "..", ".", "a.1", "a b", std::string(65, 'x'));
    const auto refused = acquire(dir / "a.lock", {}, record_of(id), LockMode::shared);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().failure == Failure::lock);
    CHECK_FALSE(exists(dir / "a.lock"));

    auto first = acquire(dir / "a.lock", {}, record_of("one"), LockMode::shared);
    REQUIRE(first);
    const auto again = acquire(dir / "a.lock", {}, record_of("one"), LockMode::shared);
    REQUIRE_FALSE(again);
    CHECK_THAT(again.error().text, Contains("run one shares this lock already"));
    CHECK(exists(dir / "a.lock/r.one"));
    CHECK(first->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a writer waits until the last reader has left, and gets the directory as it is", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    Reader first(lock, "one");
    Reader second(lock, "two");
    REQUIRE((first.ready() && second.ready()));
    const auto writer = waiting(lock, "writer", LockMode::exclusive);
    first.go_on();
    CHECK(first.join() == 0);
    CHECK(eventually([&] { return sleeps_in_flock(writer->pid()); }));
    CHECK_FALSE(exists(lock + "/record"));
    struct stat before{};
    struct stat after{};
    CHECK(::stat(lock.c_str(), &before) == 0);
    second.go_on();
    CHECK(second.join() == 0);
    REQUIRE(writer->ready());
    CHECK(::stat(lock.c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);
    CHECK(parse_lock_record(read_all(lock + "/record")).run_id == "writer");
    writer->go_on();
    CHECK(writer->join() == 0);
    CHECK_FALSE(exists(lock));
}

TEST_CASE("readers that wait for a writer get in together", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    Holder writer(lock);
    const auto one = waiting(lock, "one", LockMode::shared);
    const auto two = waiting(lock, "two", LockMode::shared);
    writer.go_on();
    CHECK(writer.join() == 0);
    CHECK(one->ready());
    CHECK(two->ready());  // while the first still reads
    one->go_on();
    two->go_on();
    CHECK(one->join() == 0);
    CHECK(two->join() == 0);
    CHECK_FALSE(exists(lock));
}

TEST_CASE("a reader that comes while a writer waits for others is let in after it", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    Reader first(lock, "one");
    REQUIRE(first.ready());
    const auto writer = waiting(lock, "writer", LockMode::exclusive);
    Reader late(lock, "late", forever());
    REQUIRE(eventually([&] { return sleeps_in_poll(late.pid()); }));
    CHECK_FALSE(exists(lock + "/r.late"));
    first.go_on();
    CHECK(first.join() == 0);
    REQUIRE(writer->ready());
    CHECK_FALSE(exists(lock + "/r.late"));
    // Now it is in the kernel's queue: a second writer does not get in before it.
    REQUIRE(eventually([&] { return sleeps_in_flock(late.pid()); }));
    const auto second_writer = waiting(lock, "second", LockMode::exclusive);
    writer->go_on();
    CHECK(writer->join() == 0);
    CHECK(late.ready());
    late.go_on();
    CHECK(late.join() == 0);
    REQUIRE(second_writer->ready());
    second_writer->go_on();
    CHECK(second_writer->join() == 0);
    CHECK_FALSE(exists(lock));
}

TEST_CASE("a waiting writer that leaves, is killed or is stopped lets readers in", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    auto first = std::make_unique<Reader>(lock, "one");
    REQUIRE(first->ready());
    const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    LockWait until_stopped = forever();
    until_stopped.wake_fd = stop.get();
    Member writer(lock, "writer", LockMode::exclusive, until_stopped);
    REQUIRE(eventually([&] { return sleeps_in_flock(writer.pid()); }));
    Reader late(lock, "late", forever());
    REQUIRE(eventually([&] { return sleeps_in_poll(late.pid()); }));
    const int how = GENERATE(0, 1, 2);
    CAPTURE(how);
    const std::uint64_t one = 1;
    if (how == 0) {
        REQUIRE(::write(stop.get(), &one, sizeof one) == sizeof one);
        CHECK(writer.join() == 1);
    } else if (how == 1) {
        writer.kill();
    } else {
        ::kill(writer.pid(), SIGSTOP);
        REQUIRE(eventually([&] { return is_stopped(writer.pid()); }));
        first->go_on();  // with the lock free nobody but the stopped one is in the way
        CHECK(first->join() == 0);
        first.reset();
    }
    REQUIRE(late.ready());
    if (first) {
        first->go_on();
        CHECK(first->join() == 0);
    }
    CHECK(exists(lock + "/r.late"));
    late.go_on();
    CHECK(late.join() == 0);
    if (how == 2) {
        ::kill(writer.pid(), SIGCONT);
        REQUIRE(writer.ready());
        writer.go_on();
        CHECK(writer.join() == 0);
    }
    CHECK_FALSE(exists(lock));
}

TEST_CASE("what a killed reader leaves is cleared away by the last who leaves, or by the next writer", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    Reader dead(lock, "dead");
    REQUIRE(dead.ready());
    if (GENERATE(false, true)) {
        auto other = acquire(lock, {}, record_of("other"), LockMode::shared);
        REQUIRE(other);
        dead.kill();
        CHECK(exists(lock + "/r.dead"));
        CHECK(other->release());
    } else {
        dead.kill();
        CHECK(exists(lock + "/r.dead"));
        auto writer = acquire(lock);
        REQUIRE(writer);
        CHECK_FALSE(exists(lock + "/r.dead"));
        CHECK_FALSE(writer->adopted());
        CHECK(writer->release());
    }
    CHECK_FALSE(exists(lock));
}

TEST_CASE("who made the directory still finds what a reader left that came between and was killed", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    const auto place = LockPath::open(lock);
    REQUIRE(place);
    {
        Reader dead(lock, "dead");
        REQUIRE(dead.ready());
    }
    REQUIRE(exists(lock + "/r.dead"));
    // What its maker goes by when flock is granted: that mkdir was ours does not count any more.
    CHECK((mode_of(lock) & kHadReaders) != 0);
    auto writer = acquire(lock);
    REQUIRE(writer);
    CHECK_FALSE(exists(lock + "/r.dead"));
    CHECK(writer->release());
    CHECK_FALSE(exists(lock));
}

TEST_CASE("a reader takes over from a killed writer, says so, and shares the lock from then on", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    Holder(lock, record_of("dead")).kill();
    REQUIRE(exists(lock + "/record"));
    auto reader = acquire(lock, {}, record_of("one"), LockMode::shared);
    REQUIRE(reader);
    REQUIRE(reader->adopted());
    CHECK(reader->adopted()->record.run_id == "dead");
    CHECK_FALSE(exists(lock + "/record"));
    auto other = acquire(lock, {}, record_of("two"), LockMode::shared);
    REQUIRE(other);
    CHECK_FALSE(other->adopted());
    CHECK(other->release());
    CHECK(reader->release());
    CHECK_FALSE(exists(lock));
}

TEST_CASE("the command of a killed reader keeps writers out, and the directory in place, until it ends", "[lock][shared]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    Orphan orphan(lock, MarkedBy::record, LockMode::shared);
    const std::string holder = "pid " + std::to_string(orphan.pid()) + ", a command that a killed run left at work";
    CHECK_THAT(error_of(lock), Contains("busy: " + holder));
    // Other readers are not in its way, nor it in theirs; the last of them leaves the directory to it.
    auto other = acquire(lock, {}, record_of("other"), LockMode::shared);
    REQUIRE(other);
    CHECK(other->release());
    CHECK(exists(lock + "/r.dead"));
    CHECK_THAT(error_of(lock), Contains("busy: " + holder));
    CHECK_THAT(look_at_lock(lock).text, Contains(holder));
    orphan.end();
    auto writer = acquire(lock, for_at_most(20'000));
    REQUIRE(writer);
    CHECK_FALSE(exists(lock + "/r.dead"));
    CHECK(writer->release());
    CHECK_FALSE(exists(lock));
}

TEST_CASE("a reader's look shows who reads, and who has left something behind", "[lock][shared][lock_view]") {
    const TemporaryDirectory dir;
    const std::string lock = dir / "a.lock";
    Reader first(lock, "one");
    REQUIRE(first.ready());
    Reader second(lock, "two");
    REQUIRE(second.ready());
    LockView view = look_at_lock(lock);
    CHECK(view.state == LockState::shared);
    CHECK(view.readers.size() == 2);
    CHECK(view.text == "shared by " + describe_holder(view.readers[0]) + " and 1 more reader");
    first.kill();
    view = look_at_lock(lock);
    CHECK(view.state == LockState::shared);
    REQUIRE(view.readers.size() == 1);
    CHECK(view.readers[0].run_id == "two");
    second.kill();
    view = look_at_lock(lock);
    CHECK(view.state == LockState::left_behind);
    CHECK(view.readers.size() == 2);
    CHECK_THAT(view.text, Contains("left behind by run "));
    CHECK(acquire(lock)->release());
    CHECK_FALSE(exists(lock));
}
