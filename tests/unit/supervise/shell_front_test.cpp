// A shell between a supervisor and lockstep; that real shells do the same is in tests/system/test_check_supervision.py.

#include <catch2/catch.hpp>

#include "supervise/shell_front.hpp"
#include "supervise/shell_script.hpp"

using namespace lockstep;
using Catch::Matchers::Contains;

namespace {

using Words = std::vector<std::string>;

/// What the script should say instead; "" where no shell is in front.
std::string told(const std::string& script, const std::string& shell = "/bin/sh") {
    const Words words = {shell, "-c", script};
    const auto found = shell_in_front(words);
    INFO(script);
    CHECK(becomes_lockstep(words) == !found);
    return found ? found->write : "";
}

std::string why(const std::string& script) {
    const auto found = shell_in_front(Words{"sh", "-c", script});
    return found ? found->why : "";
}

}  // namespace

TEST_CASE("an exec that only redirects, or that becomes something else, makes no room for lockstep", "[shell]") {
    CHECK(told("exec >>/var/log/l.log 2>&1; lockstep loop A") == "exec lockstep loop A");
    CHECK(told("exec 2>&1\nlockstep loop A >l.log") == "exec lockstep loop A >l.log");
    CHECK(told("echo 'to exec '; lockstep loop A") == "exec lockstep loop A");
    CHECK(told("test -f /stop && exec sleep 60; lockstep loop A; echo $?") == "exec lockstep loop A");
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
    CHECK(told("while ! lockstep loop 'a b.json'; do sleep 1; done") == "exec lockstep loop 'a b.json'");
    CHECK(told("exec sh -c 'lockstep loop A'") == "exec lockstep loop A");
    CHECK(told("sh -c 'exec lockstep loop A'") == "exec sh -c 'exec lockstep loop A'");
}

TEST_CASE("in a pipeline exec changes nothing, and what does is advised", "[shell]") {
    CHECK(told("exec lockstep loop A 2>&1 | logger -t x", "bash") == "exec lockstep loop A > >(logger -t x) 2>&1");
    CHECK(told("JOB=1 lockstep loop A 2>&1 | logger", "bash") == "JOB=1 exec lockstep loop A > >(logger) 2>&1");
    CHECK(told("exec lockstep loop A |& logger", "bash") == "exec lockstep loop A > >(logger) 2>&1");
    CHECK(told("exec lockstep loop A | logger") == "bash -c 'exec lockstep loop A > >(logger)'");
    CHECK(told("cd / && ./orders | grep -v x | exec lockstep run A |\n tee l | logger", "bash") ==
          "exec lockstep run A < <(./orders | grep -v x) > >(tee l | logger)");
    CHECK(told("exec lockstep loop A > >(logger) 2>&1", "bash").empty());
    CHECK_THAT(why("exec lockstep loop A | logger"), Contains("in a pipeline the shell stays in front, exec or not"));
    CHECK_THAT(why("lockstep loop A"), Contains("the shell stays in front:"));
}

TEST_CASE("in a subshell, in the background and in a group of those exec changes nothing either", "[shell]") {
    for (const char* script :
         {"(cd / && exec lockstep loop A)", "exec lockstep loop A & wait", "cd / && exec lockstep loop A &",
          "{ exec lockstep loop A; } 2>&1 | logger", "if true; then exec lockstep loop A; fi | logger",
          "echo x | { read y; exec lockstep loop A; }", "while :; do exec lockstep loop A; done &"}) {
        CHECK(told(script, "bash") == "exec lockstep loop A");
        CHECK_THAT(why(script), Contains("in ( ), a pipeline or the background the shell stays in front, exec or not"));
    }
}

TEST_CASE("bash makes room by itself for the one command of a script, unless that is redirected", "[shell]") {
    CHECK(told("A=1 lockstep loop A", "/bin/bash").empty());
    CHECK(told("lockstep loop A >l.log", "/bin/bash") == "exec lockstep loop A >l.log");
    CHECK(told("cd /; lockstep loop A", "/bin/bash") == "exec lockstep loop A");
    CHECK_FALSE(shell_in_front(Words{"env", "A=b", "bash", "--norc", "-c", "lockstep loop A"}));
}

TEST_CASE("what is no shell and may itself stay in front is not taken for lockstep, nor for a shell", "[shell]") {
    const Words by_chpst = {"sh", "-c", "exec chpst -u shop lockstep loop A"};
    CHECK_FALSE(shell_in_front(by_chpst));
    CHECK_FALSE(becomes_lockstep(by_chpst));
    for (const Words& words :
         {Words{"sudo", "-u", "shop", "lockstep", "loop", "A"}, Words{"/srv/run.sh"}, Words{}, Words{"env", "A=1"},
          Words{"sh", "-c", "exec sleep 1"}, Words{"env", "X=/usr/bin/lockstep", "x"}}) {
        CHECK_FALSE(shell_in_front(words));
        CHECK_FALSE(becomes_lockstep(words));
    }
    CHECK(becomes_lockstep(Words{"nice", "-n", "5", "bash", "-lc", "cd / && exec lockstep loop A"}));
}

TEST_CASE("what is no script of a shell is read as far as it goes", "[shell]") {
    const std::string script = R"~(exec lockstep loop "a b $(x "y") `z` ${A:-'}'} <(q)" \; 2>&1 > >(l "m") | n 'o)~";
    for (std::size_t length = 0; length <= script.size(); ++length) shell_commands(script.substr(0, length));
    for (const char* wrong : {")", "}", "((", "fi", ";;", "|", "&", ">", "2>", "<(", "$(", "${", "`", "\\", "#", "exec", "A="})
        shell_commands(wrong);
    CHECK(shell_commands(script).size() == 2);
}
