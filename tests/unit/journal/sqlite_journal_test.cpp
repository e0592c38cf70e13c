#include "journal/sqlite_journal.hpp"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "journal/sqlite_schema.hpp"
#include "journal_contract.hpp"
#include "sqlite_file.hpp"
#include "support/temporary_directory.hpp"

namespace lockstep::test {

using testing::TemporaryDirectory;

namespace {

Error refusal(const std::string& directory) {
    auto journal = open_sqlite_journal({directory, "ship"});
    REQUIRE_FALSE(journal);
    return journal.error();
}

/// Runs statements on the file as another program would.
void as_another_program(const std::string& path, const char* sql) {
    sqlite3* db = nullptr;
    REQUIRE(::sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    const int code = ::sqlite3_exec(db, sql, nullptr, nullptr, nullptr);
    ::sqlite3_close(db);
    REQUIRE(code == SQLITE_OK);
}

unsigned mode_of(const std::string& path) {
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 07777U;
}

class Umask {
  public:
    explicit Umask(mode_t mask) : before_(::umask(mask)) {}
    ~Umask() { ::umask(before_); }
    Umask(const Umask&) = delete;
    Umask& operator=(const Umask&) = delete;

  private:
    mode_t before_;
};

TEST_CASE("the SQLite journal keeps the contract of journals", "[journal]") {
    const TemporaryDirectory directory;
    check_journal_contract([&] { return open_in(directory.path()); });
}

TEST_CASE("the journal is its owner's alone, whatever the umask", "[journal]") {
    const mode_t mask = GENERATE(0777, 0, 022);
    const TemporaryDirectory root;
    const std::string state = root / "a/b";
    {
        const Umask umask(mask);
        auto journal = open_in(state);
        REQUIRE(write_whole_pair(*journal, "o1"));
        CHECK(mode_of(state + "/ship.sqlite3-wal") == 0600);
        CHECK(mode_of(state + "/ship.sqlite3-shm") == 0600);
    }
    CHECK(mode_of(root / "a") == 0700);
    CHECK(mode_of(state) == 0700);
    CHECK(mode_of(state + "/ship.sqlite3") == 0600);
    CHECK(mode_of(state + "/ship.run") == 0600);
}

TEST_CASE("runs and passes can be read by anybody who may open the file", "[journal]") {
    const TemporaryDirectory directory;
    auto journal = open_in(directory.path());
    REQUIRE(journal->begin_run({"r1", 1000, 812, "host-a", "loop", "/run/ship.lock", 60'000, "ship", 1, 1001}));
    PassTotals totals;
    totals.begun_ms = 1001;
    totals.done = 1, totals.failed = 2, totals.parked = 3, totals.left = 4, totals.skipped = 5, totals.open = 6;
    REQUIRE(journal->end_pass("r1", 1, totals, "stop request"));
    const std::string path = directory / "ship.sqlite3";
    CHECK(query(path, "SELECT * FROM runs") == "r1|1000|812|host-a|loop|/run/ship.lock|60000|ship|1|1001\n");
    CHECK(query(path,
                "SELECT run_id, pass, begun_ms, done, failed, parked, left_over, skipped, open, ended_because FROM passes") ==
          "r1|1|1001|1|2|3|4|5|6|stop request\n");
}

TEST_CASE("a step's definition is kept once for all its pairs", "[journal]") {
    const TemporaryDirectory directory;
    for (int round = 0; round < 2; ++round) {
        auto journal = open_in(directory.path());
        REQUIRE(write_whole_pair(*journal, "o" + std::to_string(round)));
    }
    CHECK(query(directory / "ship.sqlite3", "SELECT count(*) FROM definitions") == "1\n");
}

TEST_CASE("a journal in use is refused with the pid of its user, and free when that one is killed", "[journal]") {
    const TemporaryDirectory directory;
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        auto journal = open_sqlite_journal({directory.path(), "ship"});
        (void)!::write(ready[1], journal ? "y" : "n", 1);
        ::pause();
        ::_exit(0);
    }
    char answer = 0;
    REQUIRE(::read(ready[0], &answer, 1) == 1);
    REQUIRE(answer == 'y');
    const Error busy = refusal(directory.path());
    CHECK(busy.failure == Failure::busy);
    CHECK_THAT(busy.text, Catch::Contains("ship.sqlite3 is in use by pid " + std::to_string(child)));
    ::kill(child, SIGKILL);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    ::close(ready[0]);
    ::close(ready[1]);
    open_in(directory.path());
}

TEST_CASE("what cannot be a journal is refused, and named with what to do", "[journal]") {
    const TemporaryDirectory directory;
    const std::string path = directory / "ship.sqlite3";
    const auto check = [&](const char* what) {
        const Error error = refusal(directory.path());
        CHECK(error.failure == Failure::journal);
        CHECK_THAT(error.text, Catch::Contains(path));
        CHECK_THAT(error.text, Catch::Contains(what));
    };
    SECTION("a file that is no database") {
        std::ofstream(path) << std::string(5000, 'x');
        check("not an SQLite database; move it away");
    }
    SECTION("another program's database") {
        as_another_program(path, "CREATE TABLE t (x)");
        check("belongs to another program");
        CHECK(query(path, "PRAGMA journal_mode") == "delete\n");
    }
    SECTION("another application's id") {
        as_another_program(path, "PRAGMA application_id = 7");
        check("belongs to another program (application_id 0x7)");
    }
    SECTION("a newer lockstep's") {
        open_in(directory.path());
        as_another_program(path, "PRAGMA user_version = 99");
        check(("written by a newer lockstep (schema version 99, this one knows " + std::to_string(journal_migrations().size()) +
               ")")
                  .c_str());
    }
    SECTION("a truncated database") {
        {
            auto journal = open_in(directory.path());
            for (int i = 0; i < 500; ++i)
                REQUIRE(journal->write(sample_pair(std::to_string(i), PairState::first_begun), Durability::ordered));
        }
        std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
        check("the file is damaged");
    }
    SECTION("a directory") {
        std::filesystem::create_directory(path);
        check("Is a directory");
    }
    SECTION("a fifo") {
        REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
        check("not a regular file");
    }
    SECTION("a symbolic link") {
        std::filesystem::create_symlink(directory / "elsewhere", path);
        check("symbolic link");
    }
    SECTION("another user's file") {
        if (::geteuid() != 0) return;
        std::ofstream(path).flush();
        REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
        check("is owned by uid 65534");
    }
}

TEST_CASE("a database that is damaged inside is found when the damaged part is read", "[journal]") {
    const TemporaryDirectory directory;
    const std::string path = directory / "ship.sqlite3";
    {
        auto journal = open_in(directory.path());
        for (int i = 0; i < 500; ++i)
            REQUIRE(journal->write(sample_pair(std::to_string(i), PairState::first_begun), Durability::ordered));
    }
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(4096);
        file << std::string(std::filesystem::file_size(path) - 4096, '\xff');
    }
    auto journal = open_sqlite_journal({directory.path(), "ship"});
    const Error error = !journal ? journal.error() : (*journal)->find("250", "ship").error();
    CHECK(error.failure == Failure::journal);
    CHECK_THAT(error.text, Catch::Contains("the file is damaged") && Catch::Contains(path));
}

TEST_CASE("a directory that cannot be written or trusted is refused", "[journal]") {
    const TemporaryDirectory root;
    SECTION("anybody may change it") {
        std::filesystem::create_directory(root / "open");
        REQUIRE(::chmod((root / "open").c_str(), 0777) == 0);
        CHECK_THAT(refusal(root / "open").text, Catch::Contains("may be changed by anybody"));
    }
    SECTION("a file is in its way") {
        std::ofstream(root / "file").flush();
        CHECK_THAT(refusal(root / "file/state").text, Catch::Contains("Not a directory"));
    }
    SECTION("a dangling link is in its way") {
        std::filesystem::create_symlink(root / "nowhere", root / "link");
        CHECK(refusal(root / "link/state").failure == Failure::journal);
    }
    SECTION("the database is read-only for an ordinary user") {
        REQUIRE(::chmod(root.path().c_str(), 0755) == 0);
        const pid_t child = ::fork();
        if (child == 0) {
            std::string text = "no error";
            std::filesystem::create_directory(root / "mine");
            if (::geteuid() == 0) {
                if (::chown((root / "mine").c_str(), 65534, 65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
            }
            open_sqlite_journal({root / "mine", "ship"}).value().reset();
            ::chmod((root / "mine/ship.sqlite3").c_str(), 0400);
            if (auto journal = open_sqlite_journal({root / "mine", "ship"}); !journal) text = journal.error().text;
            ::_exit(text.find("Permission denied") != std::string::npos ? 0 : 1);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
}

TEST_CASE("an older schema is brought to the newest, one step after another", "[journal]") {
    const TemporaryDirectory directory;
    open_in(directory.path());
    const std::string path = directory / "ship.sqlite3";
    auto db = SqliteDb::open(path).value();
    const std::size_t now = journal_migrations().size();
    std::vector<const char*> steps(now, "");
    steps.push_back("CREATE TABLE second (x);");
    steps.push_back("ALTER TABLE second ADD COLUMN y;");
    REQUIRE(bring_up_to_date(db, steps));
    const std::string newest = std::to_string(now + 2) + "\n";
    CHECK(query(path, "PRAGMA user_version") == newest);
    CHECK(query(path, "SELECT count(*) FROM pragma_table_info('second')") == "2\n");

    std::vector<const char*> broken(now + 2, "");
    broken.push_back("CREATE TABLE third (x); nonsense;");
    CHECK_FALSE(bring_up_to_date(db, broken));
    CHECK(query(path, "PRAGMA user_version") == newest);
    CHECK(query(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'third'") == "0\n");
}

TEST_CASE("two that bring a journal up to date at the same time do not disturb each other", "[journal]") {
    const TemporaryDirectory directory;
    open_in(directory.path());
    const std::string path = directory / "ship.sqlite3";
    std::vector<const char*> steps(journal_migrations().size(), "");
    for (int i = 0; i < 40; ++i) steps.push_back("CREATE TABLE IF NOT EXISTS once (x); INSERT INTO once VALUES (1);");
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            auto db = SqliteDb::open(path).value();
            if (bring_up_to_date(db, steps)) ++good;
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(good == 4);
    CHECK(query(path, "SELECT count(*) FROM once") == "40\n");
}

TEST_CASE("the default directory does not follow the environment", "[journal]") {
    const auto before = default_state_directory();
    REQUIRE(before);
    ::setenv("XDG_STATE_HOME", "/nowhere", 1);
    const std::string home = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
    ::setenv("HOME", "/nowhere", 1);
    CHECK(default_state_directory().value() == *before);
    ::setenv("HOME", home.c_str(), 1);
    ::unsetenv("XDG_STATE_HOME");
    CHECK(before->ends_with("/lockstep"));
    if (::geteuid() == 0) CHECK(*before == "/var/lib/lockstep");
}

TEST_CASE("a job's name cannot lead out of the directory", "[journal]") {
    const TemporaryDirectory directory;
    CHECK_FALSE(open_sqlite_journal({directory.path(), "../ship"}));
}

}  // namespace
}  // namespace lockstep::test
