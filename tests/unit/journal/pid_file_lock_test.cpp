#include "journal/pid_file_lock.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "support/temporary_directory.hpp"

namespace lockstep::test {
namespace {

using testing::TemporaryDirectory;

TEST_CASE("who finds a pid file locked is told the pid in it, and one that is given back is empty", "[journal]") {
    const TemporaryDirectory directory;
    const std::string path = directory / "ship.run";
    {
        const auto lock = PidFileLock::take(path, Millis{0}, 812);
        REQUIRE(lock);
        const auto other = PidFileLock::take(path, Millis{0}, 813);
        REQUIRE_FALSE(other);
        CHECK(other.error().failure == Failure::busy);
        CHECK(other.error().text == "pid 812");
    }
    CHECK(std::filesystem::file_size(path) == 0);
    CHECK(PidFileLock::take(path, Millis{0}, 813));
}

TEST_CASE("a pid file that cannot be written is locked all the same", "[journal]") {
    const TemporaryDirectory directory;
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit nothing{0, 0};
        ::signal(SIGXFSZ, SIG_IGN);
        if (::setrlimit(RLIMIT_FSIZE, &nothing) != 0) ::_exit(2);
        const auto lock = PidFileLock::take(directory / "ship.run", Millis{0}, 812);
        if (!lock) ::_exit(1);
        const auto other = PidFileLock::take(directory / "ship.run", Millis{0}, 813);
        ::_exit(!other && other.error().text == "another process" ? 0 : 3);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

}  // namespace
}  // namespace lockstep::test
