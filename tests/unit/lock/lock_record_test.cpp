#include "lock/lock_record.hpp"

#include <catch2/catch.hpp>

#include "lock_support.hpp"

using namespace lock_test;

namespace {

LockRecord full_record() {
    LockRecord record;
    record.run_id = "01J8-a";
    record.job = "ship-orders";
    record.journal = "/var/lib/lockstep/ship orders.db";
    record.guardian_pid = ::getpid();
    record.front_pid = ::getppid();
    record.host = "web1";
    record.command = "./capture.sh a\tb\nc \\x41";
    record.phase = "order o17, second";
    record.stopping_since_ms = 1'795'000'000'000;
    record.stopping_by = "SIGTERM from pid 1 (uid 0)";
    fill_in_self(record);
    return record;
}

}  // namespace

TEST_CASE("a record read back says what was written, control characters and backslashes included", "[lock]") {
    const LockRecord record = full_record();
    const LockRecord read = parse_lock_record(to_text(record));
    CHECK(read.run_id == record.run_id);
    CHECK(read.job == record.job);
    CHECK(read.journal == record.journal);
    CHECK(read.guardian_pid == record.guardian_pid);
    CHECK(read.guardian_start == record.guardian_start);
    CHECK(read.front_pid == record.front_pid);
    CHECK(read.front_start == record.front_start);
    CHECK(read.boot_id == record.boot_id);
    CHECK(read.pid_namespace == record.pid_namespace);
    CHECK(read.host == record.host);
    CHECK(read.uid == record.uid);
    CHECK(read.since_ms == record.since_ms);
    CHECK(read.command == record.command);
    CHECK(read.phase == record.phase);
    CHECK(read.stopping_since_ms == record.stopping_since_ms);
    CHECK(read.stopping_by == record.stopping_by);
}

TEST_CASE("each line of a record is a name and a value, so that a shell script can read it", "[lock]") {
    TemporaryDirectory dir;
    write_all(dir / "record", to_text(full_record()));
    const std::string script =
        "while read -r name value; do test -n \"$name\" -a -n \"$value\" || exit 1; "
        "test \"$name\" != job || found=$value; done < " +
        (dir / "record") + "; test \"$found\" = ship-orders";
    CHECK(std::system(script.c_str()) == 0);
}

TEST_CASE("a record never grows beyond 4096 bytes and stays whole when its values are cut", "[lock]") {
    LockRecord record = full_record();
    for (std::string* value :
         {&record.job, &record.journal, &record.command, &record.phase, &record.stopping_by, &record.run_id}) {
        value->assign(10'000, '\n');
    }
    const std::string text = to_text(record);
    CHECK(text.size() <= kLongestRecord);
    CHECK(is_whole_record(text));
    CHECK(parse_lock_record(text).guardian_pid == ::getpid());
}

TEST_CASE("a journal's path of 3,000 characters is kept whole, for adopters compare it", "[lock]") {
    LockRecord record = full_record();
    record.journal = "/" + std::string(3'000, 'j');
    CHECK(parse_lock_record(to_text(record)).journal == record.journal);
}

TEST_CASE("a torn record is told from a whole one", "[lock]") {
    LockRecord record = full_record();
    const std::string before = to_text(record);
    record.phase = "order o18, second";
    const std::string after = to_text(record);
    REQUIRE(before.size() == after.size());
    CHECK(is_whole_record(before));
    CHECK(is_whole_record(after + std::string(300, '\n')));
    const std::size_t at = before.find("o17") + 3;
    CHECK_FALSE(is_whole_record(after.substr(0, at) + before.substr(at)));
    CHECK_FALSE(is_whole_record(before.substr(0, 100)));
    CHECK_FALSE(is_whole_record(""));
    CHECK_FALSE(is_whole_record("\n\n"));
    CHECK_FALSE(is_whole_record("check 0123456789abcdef"));
}

TEST_CASE("a damaged record gives what could be read", "[lock]") {
    const LockRecord read = parse_lock_record("run r7\nfuture thing\nguardian x\n\njob\nhost web1\nphase cut of");
    CHECK(read.run_id == "r7");
    CHECK(read.host == "web1");
    CHECK(read.guardian_pid == 0);
    CHECK(read.phase == "cut of");
}

TEST_CASE("whoever reads a record while it is being rewritten sees one of the two and no mixture", "[lock]") {
    TemporaryDirectory dir;
    auto lock = acquire(dir / "a.lock");
    REQUIRE(lock);
    Process reader([&] {
        const UniqueFd directory(::open((dir / "a.lock").c_str(), O_RDONLY | O_DIRECTORY));
        Process::say_ready();
        int phases = 0;
        for (int i = 0; i < 20'000; ++i) {
            const auto record = read_lock_record(directory.get());
            if (!record || record->run_id != "r1") return 1;
            const std::string& phase = record->phase;
            if (!phase.empty() && phase != std::string(phase.size(), phase[0])) return 2;
            if (!phase.empty() && (phase[0] == 'a') != (record->stopping_by == "short")) return 3;
            phases += phase.empty() ? 0 : 1;
        }
        return phases > 0 ? 0 : 4;
    });
    REQUIRE(reader.ready());
    LockRecord record = lock->record();
    int status = -1;
    int result = 0;
    for (int i = 0; result == 0; ++i) {
        record.phase = i % 2 == 0 ? std::string(200, 'a') : std::string(20, 'b');
        record.stopping_by = i % 2 == 0 ? "short" : std::string(100, 'x');
        REQUIRE(lock->update(record));
        result = i % 64 == 0 ? ::waitpid(reader.pid(), &status, WNOHANG) : 0;
    }
    CHECK(status == 0);
    reader.kill();
}

TEST_CASE("a holder is described by the pid that people know, since when, and what it is doing", "[lock]") {
    LockRecord record = full_record();
    const std::string since = "pid " + std::to_string(::getppid()) + " since ";
    CHECK(describe_holder(record).starts_with(since));
    CHECK(describe_holder(record).find(", order o17, second, stopping since ") != std::string::npos);
    CHECK(describe_holder(record).find(", asked by SIGTERM from pid 1 (uid 0)") != std::string::npos);
    record.phase.clear();
    record.stopping_since_ms = 0;
    CHECK(describe_holder(record).ends_with(", running ./capture.sh a\\tb\\nc \\x41"));
    CHECK(describe_holder(LockRecord{}) == "a process that has not written down its pid yet");
}

TEST_CASE("when the front has been killed, the guardian is the one who is named", "[lock]") {
    LockRecord record = full_record();
    Process gone([] { return 0; });
    record.front_pid = gone.pid();
    gone.join();
    CHECK(describe_holder(record).starts_with("pid " + std::to_string(::getpid()) + " since "));
}

TEST_CASE("a process that took over a pid later is not the one in the record", "[lock]") {
    const std::uint64_t started = process_start_time(::getpid());
    REQUIRE(started > 0);
    LockRecord record;
    fill_in_self(record);
    CHECK(record.guardian_start >= started);
    CHECK(is_same_process(::getpid(), record.guardian_start));
    CHECK_FALSE(is_same_process(::getpid(), started - 1));
    CHECK(is_same_process(::getpid(), 0));
    CHECK(process_start_time(999'999'999) == 0);
    CHECK(process_start_time(0) == 0);
}
