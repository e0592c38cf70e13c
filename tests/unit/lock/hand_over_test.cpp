// From a holder to those who wait: the directory stays as long as somebody does, and not a moment longer.

#include "lock/hand_over.hpp"

#include <sys/eventfd.h>
#include <sys/file.h>

#include <catch2/catch.hpp>

#include <barrier>
#include <random>

#include "lock/lock_attempt.hpp"
#include "lock_support.hpp"

using namespace lock_test;

namespace {

ino_t inode_of(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

/// An open file of the lock directory, as each contender has one.
struct Contender {
    explicit Contender(const std::string& path) : fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
        if (::fstat(fd.get(), &identity) != 0) std::abort();
    }
    bool take() const { return ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0; }

    UniqueFd fd;
    struct stat identity{};
};

/// An empty lock directory, and the steps that contenders take on it, in whatever order a test wants.
class Place {
  public:
    Place() { make(); }
    void make() const {
        if (::mkdir(lock().c_str(), 01700) != 0) std::abort();
    }
    std::string lock() const { return dir_ / "a.lock"; }
    bool stands() const { return exists(lock()); }
    Contender open() const { return Contender(lock()); }
    int give_up(const Contender& who) const { return give_up_directory(who.fd.get(), parent_.get(), "a.lock", who.identity); }
    void leave(const Contender& who) const { leave_queue(who.fd.get(), parent_.get(), "a.lock", who.identity); }

  private:
    TemporaryDirectory dir_;
    UniqueFd parent_{::open(dir_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
};

/// A process that waits for the lock, and holds it until it is told to go on. It sleeps in flock(2) when this returns.
std::unique_ptr<Process> sleeping_waiter(const std::string& path) {
    auto waiter = std::make_unique<Process>([&] {
        LockWait wait;
        wait.limit = std::nullopt;
        auto lock = acquire(path, wait);
        if (!lock || lock->adopted()) return 1;
        Process::say_ready_and_wait();
        return lock->release() ? 0 : 2;
    });
    const pid_t pid = waiter->pid();
    REQUIRE(eventually([pid] { return sleeps_in_flock(pid); }));
    return waiter;
}

}  // namespace

TEST_CASE("the directory stays where it is from hand to hand, in the order of coming, and goes with the last",
          "[lock][handover]") {
    TemporaryDirectory dir;
    Holder holder(dir / "a.lock");
    std::vector<std::unique_ptr<Process>> waiters;
    for (int i = 0; i < 4; ++i) waiters.push_back(sleeping_waiter(dir / "a.lock"));
    const ino_t inode = inode_of(dir / "a.lock");
    const ino_t record = inode_of(dir / "a.lock/record");
    holder.go_on();
    CHECK(holder.join() == 0);
    for (auto& waiter : waiters) {
        REQUIRE(waiter->ready());
        CHECK(inode_of(dir / "a.lock") == inode);
        CHECK(inode_of(dir / "a.lock/record") == record);
        CHECK_FALSE(parse_lock_record(read_all(dir / "a.lock/record")).passed_on);
        CHECK(parse_lock_record(read_all(dir / "a.lock/record")).guardian_pid == waiter->pid());
        waiter->go_on();
        CHECK(waiter->join() == 0);
    }
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a record that was passed on to nobody is no dead run's: the next writes over it, and a leaver removes it",
          "[lock][handover]") {
    const Place place;
    LockRecord done = record_of("done");
    done.passed_on = true;
    write_all(place.lock() + "/record", to_text(done));
    SECTION("the next run, of another journal") {
        LockRecord next = record_of("next");
        next.journal = "/elsewhere";
        auto lock = acquire(place.lock(), {}, next);
        REQUIRE(lock);
        CHECK_FALSE(lock->adopted());
        CHECK(parse_lock_record(read_all(place.lock() + "/record")).run_id == "next");
        CHECK(lock->release());
    }
    SECTION("a reader") {
        auto lock = acquire(place.lock(), {}, record_of("reader"), LockMode::shared);
        REQUIRE(lock);
        CHECK_FALSE(lock->adopted());
        CHECK_FALSE(exists(place.lock() + "/record"));
        CHECK(lock->release());
    }
    SECTION("one that waited and leaves") {
        const Contender leaver = place.open();
        mark_waiter(leaver.fd.get(), LockMode::exclusive);
        place.leave(leaver);
    }
    CHECK_FALSE(place.stands());
}

TEST_CASE("where readers have been, what was passed on is searched for what they left", "[lock][handover]") {
    const Place place;
    LockRecord done = record_of("done");
    done.passed_on = true;
    write_all(place.lock() + "/record", to_text(done));
    write_all(place.lock() + "/r.dead", to_text(record_of("dead")));
    REQUIRE(::chmod(place.lock().c_str(), 01700 | kHadReaders) == 0);
    auto lock = acquire(place.lock());
    REQUIRE(lock);
    CHECK_FALSE(exists(place.lock() + "/r.dead"));
    CHECK(lock->release());
    CHECK_FALSE(place.stands());
}

TEST_CASE("nothing is passed on where a reader waits, who would have to clear it away", "[lock][handover]") {
    TemporaryDirectory dir;
    auto held = acquire(dir / "a.lock");
    REQUIRE(held);
    const Contender writer(dir / "a.lock");
    const Contender reader(dir / "a.lock");
    mark_waiter(writer.fd.get(), LockMode::exclusive);
    const bool reader_waits = GENERATE(false, true);
    if (reader_waits) mark_waiter(reader.fd.get(), LockMode::shared);
    CHECK(held->release());
    CHECK(exists(dir / "a.lock/record") == !reader_waits);
    CHECK(writer.take());
}

TEST_CASE("a waiter that is killed keeps the directory for nobody", "[lock][handover]") {
    TemporaryDirectory dir;
    Holder holder(dir / "a.lock");
    sleeping_waiter(dir / "a.lock")->kill();
    holder.go_on();
    CHECK(holder.join() == 0);
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a holder that has waited itself leaves no mark in the copies of its descriptors", "[lock][handover]") {
    TemporaryDirectory dir;
    Holder holder(dir / "a.lock");
    LockWait wait = for_at_most(20'000);
    wait.on_wait = [&](const std::string&) { holder.go_on(); };
    auto lock = acquire(dir / "a.lock", wait);
    REQUIRE(lock);
    const Process copy([] {
        Process::say_ready_and_wait();
        return 0;
    });
    REQUIRE(copy.ready());
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a mark is seen by others only, and goes with its open file", "[lock][handover]") {
    const Place place;
    const Contender holder = place.open();
    Contender waiter = place.open();
    CHECK_FALSE(is_waited_for(holder.fd.get()));
    mark_waiter(waiter.fd.get(), LockMode::exclusive);
    CHECK(is_waited_for(holder.fd.get()));
    CHECK_FALSE(is_waited_for(waiter.fd.get()));
    unmark_waiter(waiter.fd.get());
    CHECK_FALSE(is_waited_for(holder.fd.get()));
    mark_waiter(waiter.fd.get(), LockMode::exclusive);
    waiter.fd.reset();
    CHECK_FALSE(is_waited_for(holder.fd.get()));
}

TEST_CASE("a directory that is waited for is given up by its flock alone, else it is removed", "[lock][handover]") {
    const Place place;
    const Contender holder = place.open();
    const Contender waiter = place.open();
    REQUIRE(holder.take());
    const bool waited_for = GENERATE(false, true);
    if (waited_for) mark_waiter(waiter.fd.get(), LockMode::exclusive);
    CHECK_FALSE(waiter.take());
    CHECK(place.give_up(holder) == 0);
    CHECK(place.stands() == waited_for);
    CHECK(waiter.take() == waited_for);  // of what is removed the flock goes with the close
}

TEST_CASE("the one who leaves removes the directory if it was handed over in that moment", "[lock][handover]") {
    const Place place;
    const Contender holder = place.open();
    const Contender waiter = place.open();
    REQUIRE(holder.take());
    mark_waiter(waiter.fd.get(), LockMode::exclusive);
    CHECK(place.give_up(holder) == 0);
    // Its flock(2) may or may not have been granted before it was called away.
    if (GENERATE(false, true)) REQUIRE(waiter.take());
    place.leave(waiter);
    CHECK_FALSE(place.stands());
}

TEST_CASE("the one who leaves before the release leaves the removal to the holder", "[lock][handover]") {
    const Place place;
    const Contender holder = place.open();
    const Contender waiter = place.open();
    REQUIRE(holder.take());
    mark_waiter(waiter.fd.get(), LockMode::exclusive);
    place.leave(waiter);
    CHECK(place.stands());
    CHECK_FALSE(waiter.take());
    CHECK(place.give_up(holder) == 0);
    CHECK_FALSE(place.stands());
}

TEST_CASE("the one who leaves hands on what others wait for, and does not touch what a dead run has left", "[lock][handover]") {
    const Place place;
    const Contender leaver = place.open();
    const Contender other = place.open();
    const bool waited_for = GENERATE(false, true);
    if (waited_for) mark_waiter(other.fd.get(), LockMode::exclusive);
    if (!waited_for) write_all(place.lock() + "/record", "run dead\n");
    mark_waiter(leaver.fd.get(), LockMode::exclusive);
    place.leave(leaver);
    CHECK(place.stands());
    CHECK(exists(place.lock() + "/record") == !waited_for);
    if (waited_for) CHECK(other.take());
}

TEST_CASE("a directory that is not at the name any more is given up as lost, whoever waits for it", "[lock][handover]") {
    const Place place;
    const Contender holder = place.open();
    const Contender waiter = place.open();
    REQUIRE(holder.take());
    mark_waiter(waiter.fd.get(), LockMode::exclusive);
    REQUIRE(::rmdir(place.lock().c_str()) == 0);
    place.make();
    CHECK(place.give_up(holder) == ENOENT);
    place.leave(waiter);
    CHECK(place.stands());
}

TEST_CASE("a release and departures at one moment, in whatever order, leave nothing behind", "[lock][handover]") {
    constexpr int kRounds = 4'000;
    constexpr int kWaiters = 3;
    const Place place;
    ::rmdir(place.lock().c_str());
    std::vector<std::unique_ptr<Contender>> contenders(kWaiters + 1);
    int left_behind = 0;
    const auto next_round = [&]() noexcept {
        if (place.stands()) ++left_behind, ::rmdir(place.lock().c_str());
        place.make();
        for (auto& contender : contenders) contender = std::make_unique<Contender>(place.lock());
        if (!contenders[0]->take()) std::abort();
        for (int i = 1; i <= kWaiters; ++i) mark_waiter(contenders[static_cast<std::size_t>(i)]->fd.get(), LockMode::exclusive);
    };
    std::barrier all(kWaiters + 1, next_round);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i <= kWaiters; ++i) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < kRounds; ++round) {
                all.arrive_and_wait();
                i == 0 ? (void)place.give_up(*contenders[i]) : place.leave(*contenders[i]);
                contenders[i]->fd.reset();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(left_behind == 0);
    CHECK_FALSE(place.stands());
}

TEST_CASE("waiters whose time is up or who are stopped at the very moment of the release leave nothing behind",
          "[lock][handover]") {
    constexpr int kRounds = 1'500;
    TemporaryDirectory dir;
    std::minstd_rand random{static_cast<unsigned>(::getpid())};
    int left_behind = 0;
    int taken = 0;
    int other_errors = 0;
    for (int round = 0; round < kRounds; ++round) {
        auto held = acquire(dir / "a.lock");
        REQUIRE(held);
        const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
        std::atomic<int> waiting = 0;
        std::atomic<int> got = 0;
        std::atomic<int> wrong = 0;
        const auto wait_for_it = [&](LockWait wait) {
            wait.on_wait = [&](const std::string&) { ++waiting; };
            auto lock = acquire(dir / "a.lock", wait);
            if (lock) ++got;
            if (lock ? !lock->release() : lock.error().failure != Failure::busy && lock.error().failure != Failure::stopped)
                ++wrong;
        };
        LockWait stopped;
        stopped.limit = std::nullopt;
        stopped.wake_fd = stop.get();
        std::thread by_time(wait_for_it, for_at_most(1 + static_cast<int>(random() % 2)));
        std::thread by_stop(wait_for_it, stopped);
        CHECK(eventually([&] { return waiting == 2; }));
        // Anywhere between long before the departures and long after them.
        const auto release_at = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 1'200);
        const bool stop_first = random() % 2 == 0;
        const std::uint64_t one = 1;
        const auto say_stop = [&] { return ::write(stop.get(), &one, sizeof one) == sizeof one; };
        while (std::chrono::steady_clock::now() < release_at) std::this_thread::yield();
        if (stop_first) CHECK(say_stop());
        if (!held->release()) ++wrong;
        if (!stop_first) CHECK(say_stop());
        by_time.join();
        by_stop.join();
        taken += got;
        other_errors += wrong;
        if (exists(dir / "a.lock")) ++left_behind, std::filesystem::remove_all(dir / "a.lock");
    }
    CHECK(left_behind == 0);
    CHECK(other_errors == 0);
    CHECK(taken > 0);            // the release came first
    CHECK(taken < 2 * kRounds);  // a departure did
}
