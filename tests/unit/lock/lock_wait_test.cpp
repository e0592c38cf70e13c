// Waiting: in the kernel, for a limited time, until a stop.

#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>

#include "lock_support.hpp"
#include "sys/interrupt.hpp"

using namespace lock_test;
using Catch::Matchers::Contains;

namespace {

using std::chrono::steady_clock;

double millis_since(steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(steady_clock::now() - start).count();
}

std::size_t thread_count() {
    std::filesystem::directory_iterator tasks("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

enum class HeldBy { run, script, orphan };

/// Something that holds the lock, whichever way.
class Obstacle {
  public:
    Obstacle(const std::string& path, HeldBy by) : path_(path) {
        if (by == HeldBy::script) {
            REQUIRE(::mkdir(path.c_str(), 0700) == 0);
            return;
        }
        holder_ = std::make_unique<Holder>(path);
        if (by == HeldBy::run) return;
        mark_.reset(::open((path + "/c.1").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        REQUIRE(::flock(mark_.get(), LOCK_SH) == 0);
        holder_->kill();
        holder_.reset();
    }
    void end() {
        if (holder_) {
            holder_->go_on();
            holder_->join();
            holder_.reset();
        } else if (mark_) {
            mark_.reset();
        } else {
            ::rmdir(path_.c_str());
        }
    }

  private:
    std::string path_;
    std::unique_ptr<Holder> holder_;
    UniqueFd mark_;
};

}  // namespace

TEST_CASE("a lock that is free is taken without a thread and without a word", "[lock][wait]") {
    TemporaryDirectory dir;
    const std::size_t before = thread_count();
    LockWait wait = for_at_most(10'000);
    bool said = false;
    wait.on_wait = [&](const std::string&) { said = true; };
    auto lock = acquire(dir / "a.lock", wait);
    REQUIRE(lock);
    CHECK(thread_count() == before);
    CHECK_FALSE(said);
}

TEST_CASE("a waiter gets the lock when it becomes free, and says once whom it waits for", "[lock][wait]") {
    TemporaryDirectory dir;
    const HeldBy by = GENERATE(HeldBy::run, HeldBy::script, HeldBy::orphan);
    Obstacle obstacle(dir / "a.lock", by);
    std::vector<std::string> said;
    LockWait wait = for_at_most(20'000);
    if (GENERATE(false, true)) wait.limit = std::nullopt;
    steady_clock::time_point freed;
    std::thread later;
    wait.on_wait = [&](const std::string& holder) {
        said.push_back(holder);
        later = std::thread([&] {
            if (by != HeldBy::script) eventually([] { return sleeps_in_flock(::getpid()); });
            freed = steady_clock::now();
            obstacle.end();
        });
    };
    auto lock = acquire(dir / "a.lock", wait);
    const double handover = millis_since(freed);
    later.join();
    REQUIRE(lock);
    CHECK(handover < 10'000);  // and not at the limit
    REQUIRE(said.size() == 1);
    CHECK_THAT(said[0], Contains(by == HeldBy::run      ? "pid "
                                 : by == HeldBy::script ? "made by another program"
                                                        : "a command that a killed run"));
    CHECK(lock->release());
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a wait ends at its limit and names the holder", "[lock][wait]") {
    TemporaryDirectory dir;
    Obstacle obstacle(dir / "a.lock", GENERATE(HeldBy::run, HeldBy::script, HeldBy::orphan));
    const auto start = steady_clock::now();
    auto lock = acquire(dir / "a.lock", for_at_most(150));
    const double waited = millis_since(start);
    REQUIRE_FALSE(lock);
    CHECK(lock.error().failure == Failure::busy);
    CHECK_THAT(lock.error().text, Contains("busy: "));
    CHECK(waited >= 150);
    CHECK(waited < 10'000);
    obstacle.end();
}

TEST_CASE("whatever a wait lacks a descriptor for, the error begins with the lock's place", "[lock][wait]") {
    TemporaryDirectory dir;
    const std::string path = dir / "a.lock";
    Holder holder(path);
    Process child([&] {
        rlimit before{};
        ::getrlimit(RLIMIT_NOFILE, &before);
        const int next = ::dup(0);
        ::close(next);
        bool seen = false;
        for (rlim_t limit = static_cast<rlim_t>(next); limit < static_cast<rlim_t>(next) + 8; ++limit) {
            const rlimit descriptors{limit, before.rlim_max};
            if (::setrlimit(RLIMIT_NOFILE, &descriptors) != 0) return 2;
            const std::string error = error_of(path, for_at_most(1));
            if (error.find("to wait for the lock") != std::string::npos) seen = true;
            if (!error.starts_with(path + ": ") && !error.starts_with("busy: ")) return 1;
        }
        return seen ? 0 : 3;
    });
    CHECK(child.join() == 0);
}

TEST_CASE("--wait 0 tries for about 100 ms, so that a passing prober is no false busy", "[lock][wait]") {
    TemporaryDirectory dir;
    Obstacle obstacle(dir / "a.lock", GENERATE(HeldBy::run, HeldBy::script, HeldBy::orphan));
    const std::size_t threads = thread_count();
    bool said = false;
    LockWait wait;
    wait.on_wait = [&](const std::string&) { said = true; };
    const auto start = steady_clock::now();
    auto lock = acquire(dir / "a.lock", wait);
    const double waited = millis_since(start);
    REQUIRE_FALSE(lock);
    CHECK(lock.error().failure == Failure::busy);
    CHECK(waited >= 100);
    CHECK(waited < 10'000);
    CHECK(thread_count() <= threads);  // fewer: one that an earlier test abandoned has ended
    CHECK_FALSE(said);
    std::thread prober([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        obstacle.end();
    });
    auto second = acquire(dir / "a.lock");
    prober.join();
    CHECK(second);
}

TEST_CASE("a stop ends any wait in less than 10 ms, with nothing touched", "[lock][wait]") {
    TemporaryDirectory dir;
    const HeldBy by = GENERATE(HeldBy::run, HeldBy::script, HeldBy::orphan);
    const std::size_t before = thread_count();
    Obstacle obstacle(dir / "a.lock", by);
    const auto stop = Interrupt::create();
    REQUIRE(stop);
    LockWait wait;
    wait.limit = std::nullopt;
    wait.wake_fd = stop->fd();
    double best = 1e9;
    // The best of many, for a loaded machine may keep any thread from running for 10 ms.
    for (int i = 0; i < 40 && best >= 10; ++i) {
        auto again = Interrupt::create();
        REQUIRE(again);
        wait.wake_fd = again->fd();
        steady_clock::time_point fired;
        std::thread later;
        wait.on_wait = [&](const std::string&) {
            later = std::thread([&] {
                if (by != HeldBy::script) eventually([] { return sleeps_in_flock(::getpid()); });
                fired = steady_clock::now();
                again->fire();
            });
        };
        auto lock = acquire(dir / "a.lock", wait);
        best = std::min(best, millis_since(fired));
        later.join();
        REQUIRE_FALSE(lock);
        CHECK(lock.error().failure == Failure::stopped);
    }
    CHECK(best < 10);
    obstacle.end();
    auto lock = acquire(dir / "a.lock", for_at_most(10'000));
    REQUIRE(lock);
    CHECK(lock->release());
    CHECK(eventually([before] { return thread_count() <= before; }));
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a process whose wait was stopped can end at once, although it sleeps in flock", "[lock][wait]") {
    TemporaryDirectory dir;
    Holder holder(dir / "a.lock");
    const UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
    Process waiter([&] {
        LockWait wait;
        wait.limit = std::nullopt;
        wait.wake_fd = wake.get();
        wait.on_wait = [](const std::string&) { Process::say_ready(); };
        auto lock = acquire(dir / "a.lock", wait);
        return !lock && lock.error().failure == Failure::stopped ? 0 : 1;
    });
    REQUIRE(waiter.ready());
    REQUIRE(eventually([&] { return sleeps_in_flock(waiter.pid()); }));
    const std::uint64_t one = 1;
    REQUIRE(::write(wake.get(), &one, sizeof one) == sizeof one);
    CHECK(waiter.join() == 0);
    CHECK(exists(dir / "a.lock/record"));
}

TEST_CASE("a stop that has come already ends the wait before it begins", "[lock][wait]") {
    TemporaryDirectory dir;
    Obstacle obstacle(dir / "a.lock", GENERATE(HeldBy::run, HeldBy::script, HeldBy::orphan));
    auto stop = Interrupt::create();
    REQUIRE(stop);
    stop->fire();
    LockWait wait = for_at_most(GENERATE(0, 20'000));
    wait.wake_fd = stop->fd();
    double best = 1e9;
    for (int i = 0; i < 40 && best >= 90; ++i) {
        const auto start = steady_clock::now();
        auto lock = acquire(dir / "a.lock", wait);
        best = std::min(best, millis_since(start));
        REQUIRE_FALSE(lock);
        CHECK(lock.error().failure == Failure::stopped);
    }
    CHECK(best < 90);  // not even the time in which a wait of 0 tries
    obstacle.end();
}

TEST_CASE("a script's directory is never broken, however old it is", "[lock][wait]") {
    TemporaryDirectory dir;
    REQUIRE(::mkdir((dir / "a.lock").c_str(), 0755) == 0);
    const timespec long_ago[2] = {{1, 0}, {1, 0}};
    REQUIRE(::utimensat(AT_FDCWD, (dir / "a.lock").c_str(), long_ago, 0) == 0);
    const std::string text = error_of(dir / "a.lock");
    CHECK_THAT(text, Contains("busy: ") && Contains("made by another program") && Contains("until it is removed"));
    CHECK(mode_of(dir / "a.lock") == 0755);
    CHECK(std::filesystem::is_empty(dir / "a.lock"));
}

TEST_CASE("a waiter in the kernel follows the lock through many hands", "[lock][wait]") {
    TemporaryDirectory dir;
    constexpr int kWaiters = 12;
    constexpr int kRounds = 20;
    std::vector<std::unique_ptr<Process>> waiters;
    for (int i = 0; i < kWaiters; ++i) {
        waiters.push_back(std::make_unique<Process>([&] {
            LockWait wait;
            wait.limit = std::nullopt;
            for (int round = 0; round < kRounds; ++round) {
                auto lock = acquire(dir / "a.lock", wait);
                if (!lock) return 1;
                const UniqueFd marker(::open((dir / "inside").c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600));
                if (!marker || ::unlink((dir / "inside").c_str()) != 0) return 2;
                if (!lock->release()) return 3;
            }
            return 0;
        }));
    }
    for (auto& waiter : waiters) CHECK(waiter->join() == 0);
    CHECK_FALSE(exists(dir / "a.lock"));
}

TEST_CASE("a waiter takes over from a holder that is killed, and adopts", "[lock][wait]") {
    TemporaryDirectory dir;
    Holder holder(dir / "a.lock", record_of("dead"));
    LockWait wait = for_at_most(20'000);
    wait.on_wait = [&](const std::string&) { ::kill(holder.pid(), SIGKILL); };
    auto lock = acquire(dir / "a.lock", wait);
    REQUIRE(lock);
    REQUIRE(lock->adopted());
    CHECK(lock->adopted()->record.run_id == "dead");
}

TEST_CASE("a waiter that is granted a directory which was renamed away waits for the one that is at the path now",
          "[lock][wait]") {
    TemporaryDirectory dir;
    Holder holder(dir / "a.lock");
    Process waiter([&] {
        LockWait wait = for_at_most(20'000);
        auto lock = acquire(dir / "a.lock", wait);
        if (!lock || !lock->still_ours()) return 1;
        return lock->release() && !exists(dir / "moved/record") ? 0 : 2;
    });
    REQUIRE(eventually([&] { return sleeps_in_flock(waiter.pid()); }));
    // rmdir would be noticed by the record that cannot be made; a renamed directory takes one.
    std::filesystem::rename(dir / "a.lock", dir / "moved");
    Holder successor(dir / "a.lock");
    holder.go_on();
    CHECK(holder.join() == 2);  // lock lost
    REQUIRE(eventually([&] { return sleeps_in_flock(waiter.pid()); }));
    CHECK_FALSE(exists(dir / "moved/record"));
    CHECK(parse_lock_record(read_all(dir / "a.lock/record")).guardian_pid == successor.pid());
    successor.go_on();
    CHECK(successor.join() == 0);
    CHECK(waiter.join() == 0);
}
