// What stands between a supervisor and lockstep; that real programs do the same is in tests/system/test_check_supervision.py.

#include <catch2/catch.hpp>

#include "supervise/shell_script.hpp"
#include "supervise/stop_route.hpp"

using namespace lockstep;
using Catch::Matchers::Contains;

namespace {

using Words = std::vector<std::string>;

/// The script that should be there instead; "" where no shell is in front. With another shell, that and a blank before it.
std::string told(const std::string& script, const std::string& shell = "/bin/sh") {
    const StopRoute route = stop_route(Words{shell, "-c", script});
    INFO(script);
    CHECK(route.direct == (route.end == StopRoute::End::arrives));
    if (route.end == StopRoute::End::arrives) return "";
    if (route.write.empty()) return "in it: " + route.piece;
    return (route.write[0] == shell ? "" : route.write[0] + " ") + route.write.at(2);
}

std::string why(const std::string& script) { return stop_route(Words{"sh", "-c", script}).why; }

}  // namespace

TEST_CASE("an exec that only redirects, or that becomes something else, makes no room for lockstep", "[shell]") {
    CHECK(told("exec >>/var/log/l.log 2>&1; lockstep loop A") == "exec >>/var/log/l.log 2>&1; exec lockstep loop A");
    CHECK(told("exec 2>&1\nlockstep loop A >l.log") == "exec 2>&1\nexec lockstep loop A >l.log");
    CHECK(told("echo 'to exec '; lockstep loop A") == "echo 'to exec '; exec lockstep loop A");
    CHECK(told("test -f /stop && exec sleep 60; lockstep loop A; echo $?") ==
          "test -f /stop && exec sleep 60; exec lockstep loop A; echo $?");
    CHECK(told("exec >>/var/log/l.log 2>&1; exec lockstep loop A").empty());
    CHECK(told("exec lockstep loop A >>/var/log/l.log 2>&1").empty());
}

TEST_CASE("exec counts past assignments, env, nice and the words before a command", "[shell]") {
    for (const char* script :
         {"A=1 exec lockstep loop A", "exec env A=1 B=\"x y\" lockstep loop A",
          "exec nice -n 5 ionice -c 2 /opt/lockstep run A", "if test -f A; then exec lockstep loop A; fi",
          "{ . ./env; exec lockstep loop A; }", "exec -a job lockstep loop A", "f() { exec lockstep loop A; }; f",
          "case $X in a) exec lockstep loop A;; esac", "! exec 'lockstep' loop A", "lockstep check A && exec lockstep loop A",
          "echo a | cat; exec lockstep loop A", "sleep 1 & exec lockstep loop A", "exec sh -c 'exec lockstep loop A'",
          "cd / # not; exec 'x\nexec lockstep loop A \\\n  --quiet"}) {
        CHECK(told(script).empty());
    }
    CHECK(told("JOB=1 nice lockstep loop A") == "JOB=1 exec nice lockstep loop A");
    CHECK(told("while ! lockstep loop 'a b.json'; do sleep 1; done") ==
          "while ! exec lockstep loop 'a b.json'; do sleep 1; done");
    CHECK(told("exec sh -c 'lockstep loop A'") == "exec sh -c 'exec lockstep loop A'");
    CHECK(told("sh -c 'exec lockstep loop A'") == "exec sh -c 'exec lockstep loop A'");
}

TEST_CASE("in a pipeline exec changes nothing, and what does is advised", "[shell]") {
    CHECK(told("exec lockstep loop A 2>&1 | logger -t x", "bash") == "exec lockstep loop A > >(logger -t x) 2>&1");
    CHECK(told("JOB=1 lockstep loop A 2>&1 | logger", "bash") == "JOB=1 exec lockstep loop A > >(logger) 2>&1");
    CHECK(told("exec lockstep loop A |& logger", "bash") == "exec lockstep loop A > >(logger) 2>&1");
    CHECK(told("exec lockstep loop A | logger") == "/bin/bash exec lockstep loop A > >(logger)");
    CHECK(told("cd / && ./orders | grep -v x | exec lockstep run A |\n tee l | logger", "bash") ==
          "cd / && exec lockstep run A < <(./orders | grep -v x) > >(tee l | logger)");
    CHECK(told("exec lockstep loop A > >(logger) 2>&1", "bash").empty());
    CHECK_THAT(why("exec lockstep loop A | logger"), Contains("in a pipeline the shell stays in front, exec or not"));
    CHECK_THAT(why("lockstep loop A"), Contains("the shell stays in front:"));
}

TEST_CASE("in a subshell, in the background and in a group of those exec changes nothing either", "[shell]") {
    for (const char* script :
         {"(cd / && exec lockstep loop A)", "exec lockstep loop A & wait", "cd / && exec lockstep loop A &",
          "{ exec lockstep loop A; } 2>&1 | logger", "if true; then exec lockstep loop A; fi | logger",
          "echo x | { read y; exec lockstep loop A; }", "while :; do exec lockstep loop A; done &"}) {
        CHECK(told(script, "bash") == "in it: exec lockstep loop A");
        CHECK_THAT(why(script), Contains("in ( ), a pipeline or the background the shell stays in front, exec or not"));
    }
}

TEST_CASE("bash makes room by itself for the one command of a script, unless that is redirected", "[shell]") {
    CHECK(told("A=1 lockstep loop A", "/bin/bash").empty());
    CHECK(told("lockstep loop A >l.log", "/bin/bash") == "exec lockstep loop A >l.log");
    CHECK(told("cd /; lockstep loop A", "/bin/bash") == "cd /; exec lockstep loop A");
    CHECK(becomes_lockstep(Words{"env", "A=b", "bash", "--norc", "-c", "lockstep loop A"}));
}

TEST_CASE("what takes lockstep's place, or starts none, is told apart from what stays in front", "[front]") {
    for (const Words& words :
         {Words{"chpst", "-u", "shop", "lockstep", "loop", "A"}, Words{"setlock", "-n", "/tmp/x", "lockstep", "loop", "A"},
          Words{"sh", "-c", "exec chpst -u shop lockstep loop A"}, Words{"flock", "-F", "/tmp/x", "lockstep", "loop", "A"},
          Words{"nice", "-n", "5", "bash", "-lc", "cd / && exec lockstep loop A"}})
        CHECK(becomes_lockstep(words));
    for (const Words& words : {Words{"/srv/run.sh"}, Words{}, Words{"env", "A=1"}, Words{"sh", "-c", "exec sleep 1"},
                               Words{"env", "X=/usr/bin/lockstep", "x"}, Words{"flock", "/tmp/x", "lockstep", "check", "A"},
                               Words{"lockstep", "exec"}, Words{"lockstep", "exec", "x", "--", "sleep", "1"}}) {
        CHECK(stop_route(words).end == StopRoute::End::arrives);
        CHECK(stop_route(words).direct == (words == Words{"lockstep"}));
    }
    for (const Words& words :
         {Words{"sudo", "-u", "shop", "lockstep", "loop", "A"}, Words{"timeout", "1h", "lockstep", "loop", "A"}}) {
        CHECK(stop_route(words).end == StopRoute::End::arrives);
        CHECK_FALSE(becomes_lockstep(words));
    }
}

TEST_CASE("a program that keeps a stop to itself is named, and the command without it", "[front]") {
    const auto write = [](const Words& words) {
        const StopRoute route = stop_route(words);
        CHECK(route.end == StopRoute::End::lost);
        return route.write;
    };
    const Words plain = {"lockstep", "loop", "A"};
    CHECK(write({"flock", "-n", "/tmp/x", "lockstep", "loop", "A"}) == plain);
    CHECK(write({"/usr/bin/time", "-v", "lockstep", "loop", "A"}) == plain);
    CHECK(write({"flock", "/var/lock/time", "lockstep", "loop", "A"}) == plain);
    CHECK(write({"nice", "flock", "-n", "/tmp/x", "strace", "-f", "lockstep", "loop", "A"}) ==
          Words{"nice", "lockstep", "loop", "A"});
    CHECK(write({"flock", "/tmp/x", "-c", "cd / && lockstep loop A"}) ==
          Words{"/bin/sh", "-c", "cd / && exec lockstep loop A"});
    CHECK(write({"sh", "-c", "cd /; exec flock /tmp/x lockstep loop A"}) == Words{"sh", "-c", "cd /; exec lockstep loop A"});
    CHECK(stop_route(Words{"sh", "-c", "exec flock /tmp/x lockstep loop $A"}).piece == "exec lockstep loop $A");
    CHECK_THAT(stop_route(Words{"flock", "/tmp/x", "lockstep", "run", "A"}).why, Contains("flock stays in front"));
    const StopRoute unknown = stop_route(Words{"/srv/bin/guard", "--", "lockstep", "loop", "A"});
    CHECK(unknown.end == StopRoute::End::unknown);
    CHECK_THAT(unknown.why, Contains("whether guard,"));
    CHECK(unknown.write == plain);
    CHECK(becomes_lockstep(Words{"sh", "-c", ". ./env; exec \"$@\"", "sh", "lockstep", "loop", "A"}));
    for (const Words& words : {Words{"bash", "/srv/start.sh", "lockstep", "loop", "A"},
                               Words{"sh", "-c", ". ./env; \"$@\"", "sh", "lockstep", "loop", "A"}}) {
        CHECK(stop_route(words).end == StopRoute::End::unknown);
        CHECK(stop_route(words).write == plain);
    }
}

TEST_CASE("lockstep exec in front defers a stop by its grace, however that is written", "[front]") {
    const auto grace = [](const Words& options) {
        Words words = {"lockstep", "exec"};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"--", "lockstep", "loop", "A"});
        return stop_route(words);
    };
    CHECK(grace({"x"}).delay == Millis{30'000});
    CHECK(grace({"--grace", "5s", "x"}).delay == Millis{5'000});
    CHECK(grace({"-sqw", "1m", "--grace=1m", "--lock", "a", "--lock=b"}).delay == Millis{60'000});
    CHECK(grace({"-w5s", "--grace", "0", "x"}).delay == Millis{0});
    CHECK_FALSE(grace({"x"}).direct);
    const StopRoute forever = grace({"-w", "1m", "--grace", "forever", "x"});
    CHECK(forever.end == StopRoute::End::lost);
    CHECK(forever.write == Words{"lockstep", "exec", "--grace", "0", "-w", "1m", "x", "--", "lockstep", "loop", "A"});
    CHECK(stop_route(Words{"lockstep", "exec", "x", "-c", "exec lockstep loop A"}).delay == Millis{30'000});
    CHECK(stop_route(Words{"lockstep", "exec", "a", "lockstep", "exec", "b", "lockstep", "run", "A"}).delay == Millis{60'000});
    CHECK(stop_route(Words{"lockstep", "exec", "x", "--", "flock", "y", "lockstep", "loop", "A"}).write ==
          Words{"lockstep", "exec", "x", "--", "lockstep", "loop", "A"});
}

TEST_CASE("what kills by itself some time after a stop is told, and the command that waits", "[front]") {
    const StopRoute route =
        stop_route(Words{"timeout", "-s", "INT", "-k", "1.5m", "1h", "lockstep", "exec", "x", "lockstep", "loop", "A"});
    CHECK(route.end == StopRoute::End::arrives);
    REQUIRE(route.kill);
    CHECK(route.kill->after == Millis{90'000});
    CHECK(route.kill->delay == Millis{30'000});
    CHECK(route.kill->write == Words{"timeout", "-s", "INT", "1h", "lockstep", "exec", "x", "lockstep", "loop", "A"});
    CHECK_FALSE(stop_route(Words{"timeout", "-k", "0", "1h", "lockstep", "loop", "A"}).kill);
    CHECK(stop_route(Words{"timeout", "--kill-after=5", "1h", "lockstep", "loop", "A"}).kill->after == Millis{5'000});
    const StopRoute su = stop_route(Words{"su", "-", "bob", "-c", "lockstep loop A"});
    CHECK(su.end == StopRoute::End::lost);
    CHECK(su.write == Words{"/bin/sh", "-c", "exec lockstep loop A"});
    CHECK(su.user == "bob");
    const StopRoute runuser = stop_route(Words{"runuser", "-u", "bob", "--", "lockstep", "loop", "A"});
    REQUIRE(runuser.kill);
    CHECK(runuser.kill->after == Millis{2'000});
    CHECK(runuser.kill->write == Words{"lockstep", "loop", "A"});
    CHECK(runuser.kill->user == "bob");
}

TEST_CASE("what is no script of a shell is read as far as it goes", "[shell]") {
    const std::string script = R"~(exec lockstep loop "a b $(x "y") `z` ${A:-'}'} <(q)" \; 2>&1 > >(l "m") | n 'o)~";
    for (std::size_t length = 0; length <= script.size(); ++length) shell_commands(script.substr(0, length));
    for (const char* wrong : {")", "}", "((", "fi", ";;", "|", "&", ">", "2>", "<(", "$(", "${", "`", "\\", "#", "exec", "A="})
        shell_commands(wrong);
    CHECK(shell_commands(script).size() == 2);
}
