// Crontab lines with other locks become lines with `lockstep exec`, or stay as they are; nothing changes its meaning unsaid.

#include "convert/convert.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "convert_support.hpp"

using namespace lockstep;

namespace {

Conversion convert(const std::string& line, CrontabKind kind = CrontabKind::user) { return LineConverter(kind).convert(line); }

}  // namespace

TEST_CASE("every line of the corpus becomes what it says", "[convert]") {
    std::ifstream file(TEST_DATA_DIR "/convert_corpus.txt");
    REQUIRE(file);
    LineConverter converter(CrontabKind::user);
    std::string line;
    std::string expected;
    int lines = 0;
    std::vector<std::string> all;
    while (std::getline(file, line)) all.push_back(line);
    for (std::size_t i = 4; i < all.size(); ++i) {
        if (all[i].empty() || all[i].starts_with("= ") || all[i].starts_with("! ")) continue;
        INFO(all[i]);
        ++lines;
        const Conversion got = converter.convert(all[i]);
        INFO(notes_of(got));
        const std::string next = i + 1 < all.size() ? all[i + 1] : "";
        if (next.starts_with("= ")) {
            CHECK(got.outcome == Conversion::Outcome::converted);
            CHECK(got.line == next.substr(2));
            CHECK_FALSE(got.notes.empty());
        } else {
            CHECK(got.line == all[i]);
            CHECK(got.outcome == (next.starts_with("! ") ? Conversion::Outcome::left : Conversion::Outcome::nothing));
            if (next.starts_with("! ")) CHECK(contains(notes_of(got), next.substr(2)));
        }
    }
    CHECK(lines > 80);
}

TEST_CASE("a failing command that kept the lock is said to keep it no longer", "[convert]") {
    const char* const kNote = "keeps the lock no longer";
    CHECK(contains(notes_of(convert("* * * * * mkdir /tmp/a.lock && ./x && rmdir /tmp/a.lock")), kNote));
    CHECK(contains(notes_of(convert("* * * * * if mkdir /tmp/a.lock; then ./x && rmdir /tmp/a.lock; fi")), kNote));
    CHECK_FALSE(contains(notes_of(convert("* * * * * mkdir /tmp/a.lock && ./x; rmdir /tmp/a.lock")), kNote));
}

TEST_CASE("a line whose alert is for the busy lock is left, and says so", "[convert]") {
    for (const char* work : {"./job || echo busy", "./a; ./b", "./a & ./b", "./a && ./b || ./c", "if a; then b; fi; ./c",
                             "trap 'rmdir /tmp/a.lock' EXIT; ./a", "echo if; ./b"}) {
        const Conversion got = convert("* * * * * mkdir /tmp/a.lock && " + std::string(work) + "; rmdir /tmp/a.lock");
        INFO(work);
        CHECK(got.outcome == Conversion::Outcome::left);
    }
    CHECK(contains(notes_of(convert("* * * * * mkdir /tmp/a.lock && ./job || echo busy; rmdir /tmp/a.lock")),
                   "is done without the lock, too"));
    // A false ./on does not keep the old line from its work.
    CHECK(convert("* * * * * ./on && until mkdir /tmp/a.lock; do sleep 1; done; ./a; rmdir /tmp/a.lock").outcome ==
          Conversion::Outcome::left);
}

TEST_CASE("what stands in braces or a condition of its own is under the lock, whatever is in it", "[convert]") {
    CHECK(convert("* * * * * mkdir /tmp/a.lock && { ./a || ./b; ./c; rmdir /tmp/a.lock; }").line ==
          "* * * * * lockstep exec a -c './a || ./b; ./c'");
    CHECK(convert("* * * * * mkdir /tmp/a.lock && if ./a; then ./b; fi; rmdir /tmp/a.lock").line ==
          "* * * * * lockstep exec a -c 'if ./a; then ./b; fi'");
    CHECK(convert("* * * * * mkdir /tmp/a.lock || exit 0; ./a || ./b; rmdir /tmp/a.lock").line ==
          "* * * * * lockstep exec a -c './a || ./b'");
}

TEST_CASE("a command of assignments only takes no lock", "[convert]") {
    CHECK(contains(notes_of(convert("* * * * * mkdir /tmp/a.lock && ./a; R=$?; rmdir /tmp/a.lock")),
                   "is done without the lock, too"));
    CHECK(convert("* * * * * mkdir /tmp/a.lock && { ./a; R=$?; rmdir /tmp/a.lock; }").line ==
          "* * * * * lockstep exec a -c './a; R=$?'");
}

TEST_CASE("a lock that a quoted script makes by itself is not passed over in silence", "[convert]") {
    for (const char* line : {"bash -c \"mkdir /tmp/x.lock && ./a; rmdir /tmp/x.lock\"",
                             "sh -c 'mkdir -m 700 /tmp/x.lock && ./a $1; rmdir /tmp/x.lock'",
                             "ssh host \"nice sh -c 'mkdir /tmp/x.lock || exit; ./a; rmdir /tmp/x.lock'\"",
                             "sh -c \"mkdir $HOME/x.lock && ./a; rmdir $HOME/x.lock\"",
                             "eval 'if mkdir /tmp/x.lock; then ./a; rmdir /tmp/x.lock; fi'"}) {
        const Conversion got = convert("* * * * * " + std::string(line));
        INFO(line);
        CHECK(got.outcome == Conversion::Outcome::left);
        CHECK(contains(notes_of(got), "perhaps inside a quoted script"));
    }
    for (const char* line : {"sh -c 'mkdir -p /tmp/x.lock; ./a'", "sh -c 'mkdir /tmp/work; ./a'", "echo 'no lock \"here\"'"})
        CHECK(convert("* * * * * " + std::string(line)).outcome == Conversion::Outcome::nothing);
}

TEST_CASE("what the old line expanded under the lock is expanded under the lock", "[convert]") {
    CHECK(convert("* * * * * mkdir /tmp/a.lock && ./process $(./take-batch); rmdir /tmp/a.lock").line ==
          "* * * * * lockstep exec a -c './process $(./take-batch)'");
    CHECK(convert("* * * * * mkdir /tmp/a.lock && ./process \"`./take-batch`\"; rmdir /tmp/a.lock").line ==
          "* * * * * lockstep exec a -c './process \"`./take-batch`\"'");
    CHECK(convert("* * * * * until mkdir /tmp/a.lock; do sleep 1; done; ./process /spool/*; rmdir /tmp/a.lock").line ==
          "* * * * * lockstep exec --wait forever a -c './process /spool/*'");
    // A variable that only the line's own shell knows stays with it.
    CHECK(convert("* * * * * D=/srv; mkdir /tmp/a.lock && ./process $D '*'; rmdir /tmp/a.lock").line ==
          "* * * * * D=/srv; lockstep exec a -- ./process $D '*'");
    CHECK(convert("* * * * * D=/srv; mkdir /tmp/a.lock && ./process $D/*; rmdir /tmp/a.lock").outcome ==
          Conversion::Outcome::left);
}

TEST_CASE("a shell of its own is not made where the line's shell knows more than it would", "[convert]") {
    for (const char* before :
         {". ./env.sh", "source ./env.sh", "read TOKEN <token", "TOKEN=1", "f() { echo 1; }", "set -e", "set -o pipefail",
          "eval $ENV", "for i in 1 2; do ./x; done", ": ${TOKEN:=1}", "./x $((TOKEN += 1))", "./x & echo", "export -f f",
          "echo() { :; }", "what-is-this", "if read X; then echo", "printf -v X 1"}) {
        const Conversion got =
            convert("* * * * * " + std::string(before) + "; mkdir /tmp/a.lock && ./show $TOKEN > out; rmdir /tmp/a.lock");
        INFO(before);
        CHECK(got.outcome == Conversion::Outcome::left);
        CHECK(contains(notes_of(got), "does not see the variables"));
    }
    for (const char* before :
         {"cd /srv", "cd $HOME && umask 077", "[ -e /tmp/on ] || exit 0", "export TOKEN=1", "if [ -e /tmp/off ]; then exit; fi",
          "./prepare --all >log 2>&1", "sleep 5", "test \"$A\" = 1 && echo yes"}) {
        INFO(before);
        CHECK(convert("* * * * * " + std::string(before) + "; mkdir /tmp/a.lock && ./show $TOKEN > out; rmdir /tmp/a.lock")
                  .line == "* * * * * " + std::string(before) + "; lockstep exec a -c './show $TOKEN > out'");
    }
}

TEST_CASE("a program's words are still made by the line's own shell, but a function is none", "[convert]") {
    CHECK(convert("* * * * * . ./env.sh; mkdir /tmp/a.lock && ./show $TOKEN; rmdir /tmp/a.lock").line ==
          "* * * * * . ./env.sh; lockstep exec a -- ./show $TOKEN");
    for (const char* before : {". ./env.sh", "show() { echo 1; }", "alias show=./show", "[ -e env.sh ] && { . ./env.sh; }"}) {
        INFO(before);
        CHECK(contains(
            notes_of(convert("* * * * * " + std::string(before) + "; mkdir /tmp/a.lock && show $TOKEN; rmdir /tmp/a.lock")),
            "show may be a function"));
    }
}

TEST_CASE("a lock file that has to make room for a directory is said to be removed", "[convert]") {
    CHECK(contains(notes_of(convert("* * * * * flock -n /tmp/a.lock a")), "remove it once (rm -f)"));
    // Never what is more than a lock file.
    for (const char* line :
         {"* * * * * flock -n /opt/a.sh /opt/a.sh", "* * * * * flock -n /etc/passwd a", "* * * * * flock -n /srv/d/ a"})
        CHECK_FALSE(contains(notes_of(convert(line)), "rm -f"));
}

TEST_CASE("nobody is told to remove a file that is not a lock by its name, or that the command uses", "[convert]") {
    for (const char* call :
         {"/srv/app/blocklist.txt ./update", "/usr/local/bin/update-blocklist -c '/usr/local/bin/update-blocklist >/dev/null'",
          "/var/lock ./x", "/run/lock ./x", "/run/lock/ ./x", "$HOME/bin/b.sh $HOME/bin/b.sh", "~/notes.txt ./x",
          "/tmp/data.csv ./load", "/run/app.pid ./app", "/opt/lock.sh ./x", "/opt/renew-lock sh -c '/opt/renew-lock -v'",
          "/opt/renew-lock \"$HOME\"/renew-lock", "/srv/clock ./x", "/srv/synclock.db ./x"}) {
        const Conversion got = convert("* * * * * flock -n " + std::string(call));
        INFO(call);
        CHECK(got.outcome == Conversion::Outcome::converted);
        CHECK_FALSE(contains(notes_of(got), "rm -f"));
        CHECK(contains(notes_of(got), "may be more than a lock file"));
    }
    CHECK(contains(notes_of(convert("* * * * * flock -n /srv/$JOB ./x")), "cannot be told"));
    for (const char* file :
         {"/srv/x.lock", "/srv/.lock", "lock", "/srv/x-lock.1", "\"$HOME/X.LOCK\"", "/srv/x_lockfile", "/srv/$JOB.lck"}) {
        INFO(file);
        CHECK(contains(notes_of(convert("* * * * * flock -n " + std::string(file) + " ./x --log x.lock.log")), "rm -f"));
    }
    // lockfile(1) makes nothing but locks, whatever they are called.
    CHECK(convert("* * * * * lockfile -r 0 /srv/busy && ./x; rm -f /srv/busy").line ==
          "* * * * * lockstep exec /srv/busy -- ./x");
}

TEST_CASE("two lines that locked the same program share a lock, two programs of one name do not", "[convert]") {
    LineConverter converter(CrontabKind::user);
    CHECK(contains(converter.convert("* * * * * flock -n /a/x.sh /a/x.sh 1").line, " x.sh -- "));
    CHECK(contains(converter.convert("* * * * * flock -n /a/x.sh /a/x.sh 2").line, " x.sh -- "));
    CHECK(contains(converter.convert("* * * * * flock -n /b/x.sh /b/x.sh").line, " x.sh-2 -- "));
}

TEST_CASE("a lock that gets a name never gets one that is another lock's place", "[convert]") {
    const std::vector<std::string> lines = {
        "* * * * * run-one rsync -a /q /r",         "* * * * * flock -n /tmp/rsync.lock rsync -a /x /y",
        "* * * * * flock -n /srv/data.csv b",       "* * * * * mkdir /tmp/data.csv.lock && a; rmdir /tmp/data.csv.lock",
        "* * * * * flock -n /srv/data.csv/ c",      "* * * * * (flock 9; d) 9>\"/tmp/rsync-2.lock\"",
        "# see /tmp/x.sh.lock, /var/tmp/x.sh.lock", "* * * * * flock -n /srv/x.sh /srv/x.sh >/var/tmp/x.sh.lock",
    };
    LineConverter converter(CrontabKind::user);
    std::string text;
    for (const std::string& line : lines) converter.foresee(line);
    for (const std::string& line : lines) text += converter.convert(line).line + "\n";
    CHECK(text ==
          "* * * * * lockstep exec --quiet rsync-3 -- rsync -a /q /r\n"
          "* * * * * lockstep exec --quiet rsync -- rsync -a /x /y\n"
          "* * * * * lockstep exec --quiet data.csv-2 -- b\n"
          "* * * * * lockstep exec data.csv -- a\n"
          "* * * * * lockstep exec --quiet data.csv-2 -- c\n"
          "* * * * * (flock 9; d) 9>\"/tmp/rsync-2.lock\"\n"
          "# see /tmp/x.sh.lock, /var/tmp/x.sh.lock\n"
          "* * * * * lockstep exec --quiet x.sh -- /srv/x.sh >/var/tmp/x.sh.lock\n");
}

TEST_CASE("scripts are run by the shell that the crontab names", "[convert]") {
    LineConverter converter(CrontabKind::user);
    CHECK(converter.convert("SHELL=/bin/bash").outcome == Conversion::Outcome::nothing);
    CHECK(converter.convert("* * * * * flock -n /tmp/a.lock -c 'a <(b)'").line ==
          "* * * * * lockstep exec --quiet a -- \"$SHELL\" -c 'a <(b)'");
}

TEST_CASE("flock's -c is run by the shell that flock would have run", "[convert]") {
    CHECK(convert("flock -n /tmp/a.lock -c 'echo a'", CrontabKind::none).line ==
          "lockstep exec --busy-status 1 --quiet a -- \"${SHELL:-/bin/sh}\" -c 'echo a'");
    CHECK(convert("* * * * * flock -n /tmp/a.lock -c 'echo a'").line == "* * * * * lockstep exec --quiet a -c 'echo a'");
    for (const char* front : {"SHELL=/bin/bash", "env SHELL=/bin/bash", "sudo -u www-data", "/usr/bin/doas", "env -i"}) {
        INFO(front);
        CHECK(
            contains(notes_of(convert("* * * * * " + std::string(front) + " flock -n /tmp/a.lock -c 'echo a'")), "sets SHELL"));
        CHECK(convert("* * * * * " + std::string(front) + " flock -n /tmp/a.lock echo a").outcome ==
              Conversion::Outcome::converted);
    }
    CHECK(convert("* * * * * stdbuf -i 0 flock -n /tmp/a.lock -c 'echo a'").outcome == Conversion::Outcome::converted);
}

TEST_CASE("what a script's line does by itself is said to be done by sh, outside of a crontab", "[convert]") {
    const char* const kNote = "no functions, no arguments";
    CHECK(contains(notes_of(convert("mkdir /tmp/a.lock && ./x $1 >y; rmdir /tmp/a.lock", CrontabKind::none)), kNote));
    CHECK_FALSE(contains(notes_of(convert("* * * * * mkdir /tmp/a.lock && ./x >y; rmdir /tmp/a.lock")), kNote));
}

TEST_CASE("chpst took its lock as another user, and in another root: the first is said, the second is left", "[convert]") {
    CHECK(contains(notes_of(convert("* * * * * chpst -u www-data -L /tmp/a.lock a")), "taken by the caller"));
    CHECK(contains(notes_of(convert("* * * * * chpst -L /tmp/a.lock -Pu www-data a")), "taken by the caller"));
    CHECK_FALSE(contains(notes_of(convert("* * * * * chpst -n 5 -L /tmp/a.lock a")), "taken by the caller"));
    for (const char* options : {"-/ /srv/root -L /a.lock", "-L /tmp/a.lock -P/ /srv/root", "-C /srv -L a.lock"}) {
        INFO(options);
        CHECK(contains(notes_of(convert("* * * * * chpst " + std::string(options) + " a")), "elsewhere than its path says"));
    }
    CHECK(convert("* * * * * chpst -/ /srv/root a").outcome == Conversion::Outcome::nothing);
}

TEST_CASE("a system crontab names a user before the command", "[convert]") {
    CHECK(convert("17 *\t* * *\troot    cd / && flock -n /tmp/a.lock run-parts --report /etc/cron.hourly", CrontabKind::system)
              .line == "17 *\t* * *\troot    cd / && lockstep exec --quiet a -- run-parts --report /etc/cron.hourly");
    // Read as a user's own crontab, the user's name is the program: nothing that is known to take a lock.
    CHECK(convert("17 * * * * root flock -n /tmp/a.lock a").outcome == Conversion::Outcome::left);
}

TEST_CASE("a command of a script has no times, and somebody may look at its status", "[convert]") {
    CHECK(convert("flock -n /tmp/a.lock a", CrontabKind::none).line == "lockstep exec --busy-status 1 --quiet a -- a");
    CHECK(convert("  flock /tmp/a.lock a 50%", CrontabKind::none).line == "  lockstep exec --wait forever --quiet a -- a 50%");
}

TEST_CASE("any line at all is read without harm, and what is left is left byte for byte", "[convert]") {
    const std::string alphabet = "flock -nmkdir/tmp.;&|(){}'\"$`\\%#<>2=\t*ab";
    std::uint32_t seed = 1;
    const auto random = [&seed](std::size_t below) {
        seed = seed * 1664525U + 1013904223U;
        return static_cast<std::size_t>(seed >> 8U) % below;
    };
    for (int round = 0; round < 20'000; ++round) {
        std::string line = random(2) == 0 ? "* * * * * flock -n /tmp/a.lock " : "* * * * * mkdir /tmp/a.lock && ";
        for (std::size_t length = random(40); length > 0; --length) line += alphabet[random(alphabet.size())];
        if (random(2) == 0) line += "; rmdir /tmp/a.lock";
        INFO(line);
        const Conversion got = convert(line);
        if (got.outcome != Conversion::Outcome::converted) CHECK(got.line == line);
        if (got.outcome != Conversion::Outcome::nothing) CHECK_FALSE(got.notes.empty());
    }
}
