// Who looks at a lock is told that its holder lives, but is stopped.

#include <sys/ptrace.h>

#include <catch2/catch.hpp>

#include "lock/lock_view.hpp"
#include "lock_support.hpp"

using namespace lock_test;

namespace {

/// Stops (SIGSTOP) a child of ours, all of it, until the end of its scope.
class StoppedProcess {
  public:
    explicit StoppedProcess(pid_t pid) : pid_(pid) {
        int status = 0;
        if (::kill(pid_, SIGSTOP) != 0 || ::waitpid(pid_, &status, WUNTRACED) != pid_ || !WIFSTOPPED(status)) std::abort();
    }
    StoppedProcess(const StoppedProcess&) = delete;
    StoppedProcess& operator=(const StoppedProcess&) = delete;
    ~StoppedProcess() { ::kill(pid_, SIGCONT); }

  private:
    pid_t pid_;
};

}  // namespace

TEST_CASE("a holder that is stopped is told as such, with what lets it go on", "[standstill]") {
    const TemporaryDirectory directory;
    const Holder holder(directory / "a.lock");
    CHECK(look_at_lock(directory / "a.lock").is_stopped == false);
    const StoppedProcess stopped(holder.pid());
    const LockView view = look_at_lock(directory / "a.lock");
    const std::string pid = std::to_string(holder.pid());
    CHECK(view.state == LockState::held);
    CHECK(view.is_stopped == true);
    const std::string said = "its guardian (pid " + pid + ") is stopped (as by SIGSTOP); kill -CONT " + pid + " lets it go on";
    CHECK(view.text.find(said) != std::string::npos);
    CHECK(error_of(directory / "a.lock").find(said) != std::string::npos);
}

TEST_CASE("a front that is stopped as well is continued with its guardian", "[standstill]") {
    const TemporaryDirectory directory;
    const Process front([] {
        Process::say_ready_and_wait();
        return 0;
    });
    REQUIRE(front.ready());
    LockRecord record = record_of("r9");
    record.front_pid = front.pid();
    const Holder holder(directory / "a.lock", record);
    const StoppedProcess first(front.pid());
    CHECK(look_at_lock(directory / "a.lock").is_stopped == false);  // the front holds nothing
    const StoppedProcess second(holder.pid());
    const std::string command = "kill -CONT " + std::to_string(front.pid()) + " " + std::to_string(holder.pid());
    CHECK(look_at_lock(directory / "a.lock").text.find(command) != std::string::npos);
}

TEST_CASE("a holder in a debugger's hands is told as such, and no signal is advised", "[standstill]") {
    const TemporaryDirectory directory;
    const Holder holder(directory / "a.lock");
    if (::ptrace(PTRACE_SEIZE, holder.pid(), nullptr, nullptr) != 0) {
        WARN("skipped: ptrace(2) is not permitted here");
        return;
    }
    REQUIRE(::ptrace(PTRACE_INTERRUPT, holder.pid(), nullptr, nullptr) == 0);
    REQUIRE(::waitpid(holder.pid(), nullptr, 0) == holder.pid());
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.is_stopped == true);
    CHECK(view.text.find("is held still by what traces it") != std::string::npos);
    CHECK(view.text.find("kill") == std::string::npos);
}

TEST_CASE("of a holder in another pid namespace it is not told whether it is stopped", "[standstill]") {
    const TemporaryDirectory directory;
    const Holder holder(directory / "a.lock");
    const StoppedProcess stopped(holder.pid());
    LockRecord record = record_of("r7");
    fill_in_self(record);
    record.guardian_pid = holder.pid();
    record.pid_namespace += 1;
    write_all(directory / "a.lock/record", to_text(record));
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.state == LockState::held);
    CHECK_FALSE(view.is_stopped.has_value());
    CHECK(view.text.find("is stopped") == std::string::npos);
}

TEST_CASE("a reader that is stopped is told, whichever it is", "[standstill]") {
    const TemporaryDirectory directory;
    const auto reader = [&](const std::string& run_id) {
        return std::make_unique<Process>([&directory, run_id] {
            const auto lock = acquire(directory / "a.lock", {}, record_of(run_id), LockMode::shared);
            if (!lock) return 1;
            Process::say_ready_and_wait();
            return 0;
        });
    };
    const auto first = reader("r1");
    REQUIRE(first->ready());
    const auto second = reader("r2");
    REQUIRE(second->ready());
    CHECK(look_at_lock(directory / "a.lock").is_stopped == false);
    for (const Process* one : {first.get(), second.get()}) {
        const StoppedProcess stopped(one->pid());
        const LockView view = look_at_lock(directory / "a.lock");
        CHECK(view.is_stopped == true);
        CHECK(view.text.find("kill -CONT " + std::to_string(one->pid()) + " lets it go on") != std::string::npos);
    }
}

TEST_CASE("a holder without a record that is stopped is told, too", "[standstill]") {
    const TemporaryDirectory directory;
    const Holder holder(directory / "a.lock");
    const StoppedProcess stopped(holder.pid());
    REQUIRE(::unlink((directory / "a.lock/record").c_str()) == 0);
    const LockView view = look_at_lock(directory / "a.lock");
    CHECK(view.is_stopped == true);
    CHECK(view.text.find("kill -CONT " + std::to_string(holder.pid())) != std::string::npos);
}
