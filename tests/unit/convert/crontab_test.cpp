// What is told of a crontab's line because of what stands around its command, or in other lines.

#include <catch2/catch.hpp>

#include "convert_support.hpp"

using namespace lockstep;

TEST_CASE("what timeout's signal comes to is told by its name", "[convert]") {
    const auto notes = [](const std::string& options) {
        return notes_of(
            LineConverter(CrontabKind::user).convert("* * * * * timeout " + options + " 60 flock -n /tmp/a.lock a"));
    };
    CHECK(contains(notes(""), "timeout's SIGTERM reaches the command at once;"));
    CHECK(contains(notes("-k 5 -s INT"), "timeout's SIGINT reaches the command at once, as SIGTERM;"));
    for (const char* kill : {"-s KILL", "-s9", "--signal=SIGKILL", "-v -s KILL"})
        CHECK(contains(notes(kill), "timeout's SIGKILL ends lockstep and not the command"));
}

TEST_CASE("two users that shared a lock are told that they cannot any more", "[convert]") {
    LineConverter converter(CrontabKind::system);
    const char* const kNote = "root uses the lock a, too";
    CHECK_FALSE(contains(notes_of(converter.convert("* * * * *\troot flock -n /tmp/a.lock a")), kNote));
    CHECK_FALSE(contains(notes_of(converter.convert("@daily root  flock -w 5 /tmp/a.lock b")), kNote));
    CHECK(contains(notes_of(converter.convert("* * * * * www-data\tflock /tmp/a.lock c")), kNote));
    CHECK_FALSE(contains(notes_of(converter.convert("* * * * * www-data flock /tmp/c.lock c")), "uses the lock"));
}

TEST_CASE("a line calls lockstep by a path that cron finds it by, and once that is told", "[convert]") {
    const ProgramIn local = [](std::string_view path) {
        return path.contains("/opt/100% l") ? "lockstep" : "/opt/100% l/lockstep";
    };
    LineConverter converter(CrontabKind::user, local);
    const Conversion first = converter.convert("* * * * * flock -n /tmp/a.lock a");
    CHECK(first.line == "* * * * * '/opt/100\\% l/lockstep' exec --quiet a -- a");
    CHECK(contains(notes_of(first), "called by its path; the PATH of this line is /usr/bin:/bin"));
    CHECK(converter.convert(first.line).outcome == Conversion::Outcome::nothing);
    converter.convert("PATH = \"/usr/sbin:/bin\"");
    const Conversion second = converter.convert("* * * * * mkdir /tmp/b.lock && b; rmdir /tmp/b.lock");
    CHECK(second.line == "* * * * * '/opt/100\\% l/lockstep' exec b -- b");
    CHECK_FALSE(contains(notes_of(second), "PATH"));
    converter.convert("PATH=/opt/100% l:/bin");
    CHECK(converter.convert("* * * * * flock -n /tmp/c.lock -c c").line == "* * * * * lockstep exec --quiet c -c c");
    LineConverter commands(CrontabKind::none, local);
    CHECK(commands.convert("flock -n -E 0 /tmp/a.lock a").line == "lockstep exec --busy-status 0 --quiet a -- a");
}
