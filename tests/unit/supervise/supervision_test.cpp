#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "job/job_file.hpp"
#include "supervise/shlex.hpp"
#include "supervise/supervision.hpp"
#include "support/temporary_directory.hpp"

using namespace lockstep;
using Catch::Matchers::Contains;

namespace {

/// Its longest pair takes 20 s, so a supervisor must wait 25.
JobSpec job(const std::string& top = "") {
    const auto read = parse_job(R"({"lockstep": 1, "job": "a", )" + top + R"("steps": [{"step": "s",
        "first": {"http": {"method": "PUT", "url": "http://h/"}, "deadline": "20s"}}]})",
                                "a.json", "/", {});
    REQUIRE(read.has_value());
    return *read;
}

SupervisordProgram program(const std::string& stopwaitsecs) {
    SupervisordProgram program;
    program.name = "a";
    program.section = "program:a";
    program.place = {"c", 3};
    program.command_place = {"c", 4};
    program.stopwaitsecs = {stopwaitsecs, {"c", 5}, false};
    program.stopsignal = {"TERM", {}, false};
    program.stopasgroup = program.killasgroup = {"false", {}, false};
    program.autorestart = {"unexpected", {}, false};
    program.exitcodes = {"0,75", {"c", 6}, false};
    return program;
}

SystemdUnit unit(const std::string& settings) {
    UnitFiles files{"a.service", "u", {}, parse_unit_text("[Service]\n" + settings, "u")};
    return systemd_unit_of(files, {"Manager", "DefaultTimeoutStopSec", "90s", {}});
}

std::string warnings(const Supervision& supervision) {
    std::string text;
    for (const Advice& one : supervision.warnings)
        text += one.place.text() + (one.add ? " add " : " write ") + one.write + "\n";
    return text;
}

}  // namespace

TEST_CASE("a stop is waited for long enough, tightly, or not", "[verdict]") {
    CHECK(supervision_of(job(), program("25")).verdict == StopVerdict::enough);
    CHECK(supervision_of(job(), program("24")).verdict == StopVerdict::tight);
    CHECK(supervision_of(job(), program("20")).verdict == StopVerdict::tight);
    CHECK(supervision_of(job(), program("19")).verdict == StopVerdict::too_short);
    CHECK(supervision_of(job(), program("0")).verdict == StopVerdict::too_short);
    CHECK(supervision_of(job(), unit("TimeoutStopSec=infinity\n")).verdict == StopVerdict::enough);
    CHECK(supervision_of(job(), unit("TimeoutStopSec=19s\n")).verdict == StopVerdict::too_short);
}

TEST_CASE("the exact line to change is named: where it stands, or the section that lacks it", "[verdict]") {
    const Supervision stated = supervision_of(job(), program("10"));
    REQUIRE(stated.change);
    CHECK(stated.change->place.text() == "c:5");
    CHECK(stated.change->write == "stopwaitsecs=25");
    CHECK_FALSE(stated.change->add);
    auto by_default = program("10");
    by_default.stopwaitsecs.place = {};
    const Supervision missing = supervision_of(job(), by_default);
    CHECK(missing.change->place.text() == "c:3");
    CHECK(missing.change->add);
    CHECK_THAT(supervision_text(missing),
               Contains("c:3: add stopwaitsecs=25") && Contains("10s (stopwaitsecs=10, the default)"));
    CHECK(supervision_of(job(), unit("TimeoutStopSec=1\n")).change->write == "TimeoutStopSec=25s");
}

TEST_CASE("a value that cannot be expanded here is unknown, not enough", "[verdict]") {
    auto unknown = program("%(ENV_X)s");
    unknown.stopwaitsecs.unknown = true;
    CHECK(supervision_of(job(), unknown).verdict == StopVerdict::unknown);
    CHECK_THAT(to_text(supervision_json(supervision_of(job(), unknown))), Contains(R"("givenMs":null)"));
}

TEST_CASE("what is not as it should be under supervisord is told, with the line to write", "[verdict]") {
    CHECK(warnings(supervision_of(job(), program("25"))).empty());
    auto wrong = program("25");
    wrong.stopsignal = {"USR1", {"c", 7}, false};
    wrong.stopasgroup = {"true", {"c", 8}, false};
    wrong.killasgroup = {"true", {"c", 10}, false};
    wrong.exitcodes = {"0,2", {"c", 9}, false};
    wrong.processes = 2;
    wrong.processes_place = {"c", 11};
    CHECK(warnings(supervision_of(job(), wrong)) ==
          "c:7 write stopsignal=TERM\nc:8 write stopasgroup=false\nc:10 write killasgroup=false\nc:9 write exitcodes=0,2,75\n"
          "c:11 write numprocs=1\n");
    wrong = program("25");
    wrong.autorestart.value = "false";
    wrong.exitcodes.value = "0";
    CHECK(warnings(supervision_of(job(), wrong)).empty());
}

TEST_CASE("of a killasgroup that only follows stopasgroup nothing is said: its line would be the same", "[verdict]") {
    auto group = program("25");
    group.stopasgroup = group.killasgroup = {"true", {"c", 8}, false};
    CHECK(warnings(supervision_of(job(), group)) == "c:8 write stopasgroup=false\n");
    group.stopasgroup = {"false", {"c", 8}, false};
    group.killasgroup = {"true", {"c", 9}, false};
    CHECK(warnings(supervision_of(job(), group)) == "c:9 write killasgroup=false\n");
}

TEST_CASE("what is not as it should be under systemd is told, with the line to write", "[verdict]") {
    CHECK(warnings(supervision_of(job(), unit("KillMode=mixed\nSuccessExitStatus=TEMPFAIL\n"))).empty());
    CHECK(warnings(supervision_of(job(), unit(""))) == "u:1 add KillMode=mixed\nu:1 add SuccessExitStatus=75\n");
    CHECK_THAT(warnings(supervision_of(job(), unit("PrivateTmp=yes\nKillSignal=SIGUSR1\nKillMode=none\n"))),
               Contains("u:2 write PrivateTmp=no") && Contains("u:3 write KillSignal=SIGTERM") &&
                   Contains("u:4 write KillMode=mixed"));
}

TEST_CASE("a stop timeout that is too short is enough where systemd hears the run ask for more, and signals it alone",
          "[verdict]") {
    const std::string base = "ExecStart=/usr/bin/lockstep loop /a.json\nSuccessExitStatus=75\nTimeoutStopSec=3\n";
    const auto verdict = [&](const std::string& settings) { return supervision_of(job(), unit(base + settings)); };
    for (const char* settings :
         {"KillMode=mixed\nNotifyAccess=main\n", "KillMode=process\nNotifyAccess=exec\n", "KillMode=mixed\nNotifyAccess=all\n",
          "KillMode=mixed\nType=notify\n", "KillMode=mixed\nType=notify-reload\nNotifyAccess=none\n",
          "KillMode=mixed\nWatchdogSec=30\n",
          "KillMode=mixed\nNotifyAccess=main\nExecStart=\nExecStart=nice -n 5 lockstep run a\n",
          "KillMode=mixed\nNotifyAccess=main\nExecStart=\nExecStart=sh -c 'cd / && exec lockstep run a'\n"}) {
        INFO(settings);
        const Supervision one = verdict(settings);
        CHECK(one.verdict == StopVerdict::enough);
        CHECK_FALSE(one.change);
        CHECK_THAT(supervision_text(one), Contains("asks for more time as it goes"));
        CHECK_THAT(to_text(supervision_json(one)), Contains(R"("verdict":"enough","extended":true)"));
    }
    for (const char* settings :
         {"KillMode=mixed\n", "KillMode=mixed\nNotifyAccess=none\n", "NotifyAccess=main\n", "KillMode=mixed\nWatchdogSec=0\n",
          "KillMode=control-group\nNotifyAccess=all\n", "KillMode=none\nNotifyAccess=main\n",
          "KillMode=mixed\nNotifyAccess=main\nExecStart=\nExecStart=sh -c 'lockstep run a; true'\n"}) {
        INFO(settings);
        const bool lost = std::string_view(settings).contains("none\nN") || std::string_view(settings).contains("sh -c");
        CHECK(verdict(settings).verdict == (lost ? StopVerdict::lost : StopVerdict::too_short));
        CHECK_FALSE(verdict(settings).extended);
        CHECK(verdict(settings).change->write == "TimeoutStopSec=25s");
    }
    CHECK_FALSE(supervision_of(job(), unit(base + "KillMode=mixed\nNotifyAccess=main\nTimeoutStopSec=25\n")).extended);
}

TEST_CASE("a run behind a shell that stays in front is not heard, whatever the shell has exec'd before", "[verdict]") {
    const std::string base = "SuccessExitStatus=75\nTimeoutStopSec=3\nKillMode=mixed\nType=notify\n";
    for (const char* script : {"exec >>/var/log/l.log 2>&1; lockstep loop A", "exec lockstep loop A 2>&1 | logger"}) {
        const Supervision one = supervision_of(job(), unit(base + "ExecStart=/bin/sh -c '" + script + "'\n"));
        INFO(script);
        CHECK(one.verdict == StopVerdict::lost);
        CHECK(one.warnings.size() == 1);
    }
}

TEST_CASE("shielded commands make KillMode=control-group right, and a lock outside /tmp a private one", "[verdict]") {
    const JobSpec shielded = job(R"("shield": true, "lock": "/run/lock/a.lock", )");
    CHECK(warnings(supervision_of(shielded, unit("PrivateTmp=yes\nSuccessExitStatus=75\n"))).empty());
}

TEST_CASE("a shell that stays in front of lockstep, and so takes the stop request for itself, is told of", "[verdict]") {
    const auto told = [](const std::string& shell, const std::string& option, const std::string& script) {
        auto in_a_shell = program("25");
        in_a_shell.words = {shell, option, script};
        return warnings(supervision_of(job(), in_a_shell));
    };
    CHECK(told("/bin/sh", "-c", "cd /srv && lockstep loop a.json") ==
          "c:4 write command=/bin/sh -c 'cd /srv && exec lockstep loop a.json'\n");
    CHECK(told("bash", "-lc", ". ./env; /opt/lockstep run a.json") ==
          "c:4 write command=bash -lc '. ./env; exec /opt/lockstep run a.json'\n");
    CHECK(told("sh", "-c", "cd /srv && exec lockstep loop a.json").empty());
    CHECK(told("sh", "-c", "exec nice -n 5 lockstep loop a.json").empty());
    CHECK(told("/bin/sh", "-c", "lockstep loop a.json") == "c:4 write command=/bin/sh -c 'exec lockstep loop a.json'\n");
    CHECK(told("/bin/bash", "-c", "lockstep loop a.json").empty());
    CHECK_THAT(warnings(supervision_of(job(), unit("ExecStart=/bin/sh -c 'cd / && lockstep loop a'\nKillMode=mixed\n"))),
               Contains("u:2 write ExecStart=/bin/sh -c \"cd / && exec lockstep loop a\"\n"));
}

TEST_CASE("a stop that does not get to the run, or is cut in front of it, is never enough", "[verdict]") {
    const auto under = [](const std::string& words, const std::string& stopwaitsecs = "100") {
        auto one = program(stopwaitsecs);
        one.command = words;
        one.words = shlex_split(words).value();
        return supervision_of(job(), one);
    };
    const Supervision lost = under("flock -n /tmp/x.lock lockstep loop %(here)s/a.json");
    CHECK(lost.verdict == StopVerdict::lost);
    CHECK(warnings(lost) == "c:4 write command=lockstep loop '%(here)s/a.json'\n");
    CHECK_THAT(supervision_text(lost), Contains("verdict    lost: no request to stop gets to lockstep"));
    CHECK(under("guard lockstep loop a.json").verdict == StopVerdict::unknown);
    CHECK(warnings(under("guard lockstep loop a.json")) == "c:4 write command=lockstep loop a.json\n");
    CHECK(under("timeout -k 1 1h lockstep loop a.json").verdict == StopVerdict::too_short);
    CHECK(under("timeout -k 24 1h lockstep loop a.json").verdict == StopVerdict::tight);
    CHECK(under("timeout -k 25 1h lockstep loop a.json").verdict == StopVerdict::enough);
    CHECK(warnings(under("timeout -k 1 1h lockstep loop a.json")) == "c:4 write command=timeout 1h lockstep loop a.json\n");
    CHECK(warnings(under("runuser -u bob lockstep loop a.json")) == "c:4 write command=lockstep loop a.json and user=bob\n");

    const Supervision deferred = under("lockstep exec x -- lockstep loop a.json", "54");
    CHECK(deferred.verdict == StopVerdict::tight);
    CHECK(deferred.change->write == "stopwaitsecs=55");
    CHECK_THAT(supervision_text(deferred), Contains("must wait  55s") && Contains("the grace of lockstep exec, 30s"));
    CHECK(under("lockstep exec x -- lockstep loop a.json", "25").verdict == StopVerdict::too_short);
    CHECK(under("lockstep exec --grace 0 x -- lockstep loop a.json", "25").verdict == StopVerdict::enough);
}

TEST_CASE("what tells every process of a stop tells lockstep, whatever stands in front", "[verdict]") {
    const std::string line = "SuccessExitStatus=75\nTimeoutStopSec=25\nExecStart=-/usr/bin/flock /x lockstep loop %h/a.json\n";
    const Supervision mixed = supervision_of(job(), unit(line + "KillMode=mixed\n"));
    CHECK(mixed.verdict == StopVerdict::lost);
    CHECK(warnings(mixed) == "u:4 write ExecStart=-lockstep loop %h/a.json\n");
    CHECK(supervision_of(job(), unit(line)).verdict == StopVerdict::enough);
    CHECK(supervision_of(job(), unit("TimeoutStopSec=25\nExecStart=lockstep exec x lockstep loop a\n")).verdict ==
          StopVerdict::enough);
    auto group = program("25");
    group.words = {"flock", "/x", "lockstep", "loop", "a"};
    group.stopasgroup = {"true", {"c", 8}, false};
    CHECK(supervision_of(job(), group).verdict == StopVerdict::enough);
}

TEST_CASE("a stop signal that is no request is never enough", "[verdict]") {
    auto wrong = program("25");
    for (const char* signal : {"KILL", "USR1", "10"}) {
        wrong.stopsignal = {signal, {"c", 7}, false};
        CHECK(supervision_of(job(), wrong).verdict == StopVerdict::lost);
    }
    wrong.stopsignal = {"%(ENV_SIGNAL)s", {"c", 7}, true};
    CHECK(supervision_of(job(), wrong).verdict == StopVerdict::unknown);
    CHECK(supervision_of(job(), unit("KillSignal=SIGKILL\n")).verdict == StopVerdict::lost);
    CHECK_THAT(to_text(supervision_json(supervision_of(job(), unit("KillSignal=9\n")))), Contains(R"("verdict":"lost")"));
}

TEST_CASE("a run that supervisord would start again whenever it ends is told of, a loop is not", "[verdict]") {
    auto again = program("25");
    again.autorestart = {"true", {"c", 9}, false};
    again.exitcodes = {"0", {}, false};
    again.words = {"sh", "-c", "exec lockstep run a.json"};
    CHECK(warnings(supervision_of(job(), again)) == "c:9 write autorestart=unexpected\nc:3 add exitcodes=0,75\n");
    again.words = {"lockstep", "loop", "a.json"};
    CHECK(warnings(supervision_of(job(), again)).empty());
}

TEST_CASE("a command runs a job if lockstep is given that very file, whatever stands before", "[match]") {
    const testing::TemporaryDirectory directory;
    const std::string file = directory.path() + "/a.json";
    std::ofstream(file) << "{}";
    std::filesystem::create_symlink("a.json", directory.path() + "/link.json");
    const auto runs = [&](const std::vector<std::string>& words, const std::string& in = "") {
        return runs_job(words, in, file);
    };
    CHECK(runs({"/usr/bin/lockstep", "loop", file}));
    CHECK(runs({"lockstep", "loop", directory.path() + "/link.json"}));
    CHECK(runs({"lockstep", "loop", "a.json"}, directory.path()));
    CHECK_FALSE(runs({"lockstep", "loop", "a.json"}));
    CHECK(runs({"nice", "env", "A=b", "lockstep", "run", "--quiet", file}));
    CHECK(runs({"sh", "-c", "cd / && exec lockstep loop " + file}));
    CHECK(runs({"sh", "-c", "cd " + directory.path() + " && exec lockstep loop a.json"}, "/"));
    CHECK(runs({"bash", "-c", "cd " + directory.path() + "; exec lockstep loop ./a.json"}));
    std::filesystem::create_directory(directory.path() + "/sub");
    CHECK(runs({"sh", "-c", "cd sub && exec lockstep loop ../a.json"}, directory.path()));
    CHECK_FALSE(runs({"sh", "-c", "cd sub && exec lockstep loop a.json"}, directory.path()));
    CHECK(runs({"sh", "-c", "(exec lockstep loop " + file + ")|logger"}));
    CHECK_FALSE(runs({"cat", file}));
    for (const char* other : {"status", "history", "check"}) CHECK_FALSE(runs({"lockstep", other, file}));
    CHECK(runs({"lockstep", "exec", "x", "--", "lockstep", "loop", file}));
    CHECK(runs({"sh", "-c", "lockstep check " + file + " && exec lockstep loop " + file}));
    CHECK_FALSE(runs({"lockstep", "loop", directory.path() + "/other.json"}));
}

TEST_CASE("a command that runs a job, but does not tell here which, is not one that runs none", "[match]") {
    const testing::TemporaryDirectory directory;
    const std::string file = directory.path() + "/a.json";
    std::ofstream(file) << "{}";
    using Words = std::vector<std::string>;
    CHECK(untold_job(Words{"lockstep", "loop", "${JOB}"}, "/") == "what ${JOB} is");
    CHECK(untold_job(Words{"nice", "lockstep", "run", "--quiet", "%h/a.json"}, "/") == "what %h/a.json is");
    CHECK(untold_job(Words{"lockstep", "loop", "%(ENV_JOB)s"}, "/") == "what %(ENV_JOB)s is");
    CHECK(untold_job(Words{"lockstep", "$ARGS"}, "/") == "what $ARGS is");
    CHECK(untold_job(Words{"lockstep", "loop", "a.json"}, "") == "where a.json lies");
    CHECK(untold_job(Words{"sh", "-c", "JOB=x; exec lockstep loop $JOB"}, "/") == "what $JOB is");
    CHECK(untold_job(Words{"sh", "-c", "cd $HOME && exec lockstep loop a.json"}, directory.path()) == "where a.json lies");

    CHECK(untold_job(Words{"lockstep", "loop", "/srv/other.json"}, "/").empty());
    CHECK(untold_job(Words{"lockstep", "loop", file, "--set", "day=$DAY"}, "/").empty());
    CHECK(untold_job(Words{"sh", "-c", "cd " + directory.path() + " && lockstep run --set d=$(date) a.json"}, "").empty());
    CHECK(untold_job(Words{"lockstep", "check", "$JOB"}, "/").empty());
    CHECK(untold_job(Words{"/usr/bin/other", "--rate=50%", "$JOB"}, "/").empty());
    CHECK(untold_job(Words{}, "").empty());
}
