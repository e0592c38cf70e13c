// Commands, with real processes.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>

#include "step_support.hpp"

using namespace lockstep;
using namespace lockstep::testing;
using namespace std::chrono_literals;

namespace {

PhaseSpec script(const std::string& text) { return phase_of(shell(text)); }

constexpr AttemptOptions kPatient{.timeout = Millis{30'000}};

/// A process that still does something: not gone, not a zombie.
bool is_alive(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    return std::getline(stat, text) && text.find(") Z ") == std::string::npos;
}

}  // namespace

TEST_CASE("a command's end is classed by its status", "[command]") {
    Bench bench;
    PhaseSpec phase = script("echo out of stock >&2; exit 3");
    SECTION("0 is done") {
        const Attempt attempt = bench.perform_once(script("true"), kPatient);
        CHECK(attempt.verdict == Verdict::done);
        CHECK(attempt.reason == "exit status 0");
    }
    SECTION("a status in refusedStatus is a refusal, and its last line on stderr says why") {
        phase.refused_status = {3};
        const Attempt attempt = bench.perform_once(phase, kPatient);
        CHECK(attempt.verdict == Verdict::refused);
        CHECK(attempt.reason == "exit status 3: out of stock");
    }
    SECTION("a status in notAppliedStatus may be tried again") {
        phase.not_applied_status = {3};
        CHECK(bench.perform_once(phase, kPatient).verdict == Verdict::not_applied);
    }
    SECTION("any other status is in doubt") { CHECK(bench.perform_once(phase, kPatient).verdict == Verdict::in_doubt); }
    SECTION("death by a signal is in doubt") {
        const Attempt attempt = bench.perform_once(script("kill -SEGV $$$$"), kPatient);
        CHECK(attempt.verdict == Verdict::in_doubt);
        CHECK(attempt.reason == "killed by SIGSEGV");
    }
    SECTION("one that cannot be started is not applied, and the host gets its mark back") {
        const Attempt attempt = bench.perform_once(phase_of(command({"no-such-program"})), kPatient);
        CHECK(attempt.verdict == Verdict::not_applied);
        CHECK(attempt.reason.find("there is no such program in PATH") != std::string::npos);
        CHECK(bench.host.ended() == bench.host.started());
    }
    SECTION("status 0 that success does not accept is in doubt") {
        PhaseSpec printing = script("echo no");
        printing.success = condition_of("$stdout == 'yes'");
        const Attempt attempt = bench.perform_once(printing, kPatient);
        CHECK(attempt.verdict == Verdict::in_doubt);
        CHECK(attempt.reason == "exit status 0, but success ($stdout == 'yes') does not hold");
    }
}

TEST_CASE("a command's outputs come from its stdout; a missing one is in doubt", "[command]") {
    Bench bench;
    PhaseSpec phase = script(R"(echo '{"id": 1.10}')");
    phase.outputs = named({{"id", "$stdout#/id"}, {"all", "$stdout"}});
    const Attempt attempt = bench.perform_once(phase, kPatient);
    CHECK(attempt.verdict == Verdict::done);
    CHECK(to_text(attempt.outputs) == R"({"id":1.10,"all":"{\"id\": 1.10}"})");

    phase.outputs = named({{"rid", "$stdout#/rid"}});
    const Attempt missing = bench.perform_once(phase, kPatient);
    CHECK(missing.verdict == Verdict::in_doubt);
    CHECK(missing.reason == "exit status 0, but the output \"rid\" is missing ($stdout#/rid is missing)");
}

TEST_CASE("a command gets its surroundings: environment, directory, stdin, its mark", "[command]") {
    Bench bench;
    const TemporaryDirectory directory;
    bench.host.mark_path = directory / "mark";
    bench.scope.secret = [](std::string_view) { return "s3cret"; };
    ::setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
    ::setenv("LOCKSTEP_TEST_OURS", "ours", 1);
    CommandSpec spec = shell(
        "pwd; cat; echo \"$$TOKEN $$LOCKSTEP_RUN_ID $$LOCKSTEP_ITEM_KEY $$LOCKSTEP_IDEMPOTENCY_KEY "
        "[$$NOTIFY_SOCKET] $$LOCKSTEP_TEST_OURS\"; ls -l /proc/self/fd | grep -c mark");
    spec.cwd = directory.path();
    spec.env = named({{"TOKEN", "{$secrets.token}"}});
    SECTION("with a stdin of its own") {
        spec.stdin_text = template_of("from stdin\n");
        CHECK(bench.perform_once(phase_of(spec), kPatient).verdict == Verdict::done);
        CHECK(bench.host.out() == directory.path() + "\nfrom stdin\ns3cret run-1 north/o17 key-1 [] ours\n1\n");
    }
    SECTION("or with an empty one") {
        CHECK(bench.perform_once(phase_of(spec), kPatient).verdict == Verdict::done);
        CHECK(bench.host.out() == directory.path() + "\ns3cret run-1 north/o17 key-1 [] ours\n1\n");
    }
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("LOCKSTEP_TEST_OURS");
    CHECK(bench.host.started() > 0);
    CHECK(bench.host.ended() == bench.host.started());
}

TEST_CASE("output is passed on while the command runs, the two streams apart, and all of it", "[command][output]") {
    Bench bench;
    const TemporaryDirectory directory;
    const std::string go = directory / "go";
    SECTION("as it comes") {
        auto running = std::async(std::launch::async, [&] {
            return bench.perform_once(
                script("echo early; echo complaint >&2; while [ ! -e " + go + " ]; do sleep 0.02; done; echo late"), kPatient);
        });
        CHECK(within(60s, [&] { return bench.host.out() == "early\n" && bench.host.err() == "complaint\n"; }));
        directory.write("go", "");
        CHECK(running.get().verdict == Verdict::done);
        CHECK(bench.host.out() == "early\nlate\n");
    }
    SECTION("however much it is: no pipe can be full, and memory is given back") {
        CHECK(bench.perform_once(script("head -c 20000000 /dev/zero"), kPatient).verdict == Verdict::done);
        CHECK(bench.host.out().size() == 20'000'000);
    }
    SECTION("also when the command opens its stderr anew, which truncates it") {
        CHECK(bench.perform_once(script("echo one > /dev/stderr"), kPatient).verdict == Verdict::done);
        CHECK(bench.host.err() == "one\n");
    }
}

TEST_CASE("a process that a finished command leaves behind holds up nothing", "[command]") {
    Bench bench;
    const auto start = monotonic_now();
    const Attempt attempt = bench.perform_once(script("sleep 300 & echo $$!"), kPatient);
    CHECK(attempt.verdict == Verdict::done);
    CHECK(monotonic_now() - start < 60s);  // and not 300
    const pid_t left = std::stoi(bench.host.out());
    CHECK(is_alive(left));
    ::kill(left, SIGKILL);
}

/// The five that a command has between TERM and KILL. A busy machine may need more than one try to show it.
template <class Act>
bool without_the_five_seconds(Act act) {
    for (int i = 0; i < 5; ++i) {
        const auto start = monotonic_now();
        act();
        if (monotonic_now() - start < 4s) return true;
    }
    return false;
}

TEST_CASE("a command that outlasts its time is ended, with all of its group, and in doubt", "[command][timeout]") {
    Bench bench;
    SECTION("by TERM") {
        const Attempt attempt =
            bench.perform_once(script("trap 'echo bye; exit 0' TERM; sleep 300 & echo $$!; wait"), {.timeout = 2s});
        CHECK(attempt.verdict == Verdict::in_doubt);
        CHECK(attempt.reason == "no end within 2s, so it was ended");
        CHECK_FALSE(attempt.was_cut);
        CHECK(bench.host.out().ends_with("bye\n"));
        const pid_t helper = std::stoi(bench.host.out());
        CHECK(within(60s, [&] { return !is_alive(helper); }));
    }
    SECTION("by KILL after five seconds, if it does not listen") {
        const auto start = monotonic_now();
        CHECK(bench.perform_once(script("trap '' TERM; while :; do sleep 0.1; done"), {.timeout = 2s}).verdict ==
              Verdict::in_doubt);
        const auto took = monotonic_now() - start;
        CHECK((took > 7s && took < 30s));
    }
    SECTION("by KILL at once, if it is shielded") {
        bench.work.shield = true;
        CHECK(without_the_five_seconds([&] {
            CHECK(bench.perform_once(script("while :; do sleep 0.1; done"), {.timeout = 300ms}).verdict == Verdict::in_doubt);
        }));
    }
    SECTION("though it is stopped and TERM alone would not wake it") {
        CHECK(without_the_five_seconds([&] {
            CHECK(bench.perform_once(script("kill -STOP $$$$; sleep 300"), {.timeout = 500ms}).verdict == Verdict::in_doubt);
        }));
    }
}

TEST_CASE("a command is shielded as the default is when it begins, unless the job says it", "[command][shield]") {
    Bench bench;
    std::atomic<bool> by_default = false;
    bench.work.shield_by_default = &by_default;
    const auto is_shielded = [&] { return bench.perform_once(script("kill -TERM $$$$; exit 0")).verdict == Verdict::done; };
    CHECK_FALSE(is_shielded());
    by_default = true;
    CHECK(is_shielded());
    bench.work.shield = false;
    CHECK_FALSE(is_shielded());
    bench.work.shield = true;
    by_default = false;
    CHECK(is_shielded());
}

TEST_CASE("a cut ends a command at once and says so", "[command][cut]") {
    Bench bench;
    auto cut = Interrupt::create();
    REQUIRE(cut);
    bench.work.cut = &*cut;
    auto running = std::async(std::launch::async, [&] { return bench.perform_once(script("echo up; sleep 300"), kPatient); });
    CHECK(within(60s, [&] { return bench.host.out() == "up\n"; }));
    cut->fire();
    const Attempt attempt = running.get();
    CHECK(attempt.verdict == Verdict::in_doubt);
    CHECK(attempt.was_cut);
}

TEST_CASE("a stopped command is reported once, and waited for", "[command]") {
    Bench bench;
    auto running =
        std::async(std::launch::async, [&] { return bench.perform_once(script("kill -STOP $$$$; exit 0"), kPatient); });
    CHECK(within(60s, [&] { return !bench.host.notices().empty(); }));
    const auto notices = bench.host.notices();
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].find("is stopped (SIGSTOP)") != std::string::npos);
    ::kill(-bench.host.started(), SIGCONT);
    CHECK(running.get().verdict == Verdict::done);
    CHECK(bench.host.notices().size() == 1);
}

TEST_CASE("a command whose guardian is killed writes on and comes to its end", "[command][orphan]") {
    const TemporaryDirectory directory;
    const std::string pid_file = directory / "pid";
    const std::string end_file = directory / "end";
    const std::string go = directory / "go";
    const pid_t guardian = ::fork();
    REQUIRE(guardian >= 0);
    if (guardian == 0) {
        Bench bench;
        // After the guardian's death it writes more than any pipe would hold.
        bench.perform_once(script("echo $$$$ > " + pid_file + ".new; mv " + pid_file + ".new " + pid_file + "; while [ ! -e " +
                                  go + " ]; do sleep 0.02; done; head -c 1000000 /dev/zero && echo fine > " + end_file),
                           kPatient);
        ::_exit(0);
    }
    CHECK(within(60s, [&] { return std::filesystem::exists(pid_file); }));
    ::kill(guardian, SIGKILL);
    ::waitpid(guardian, nullptr, 0);
    directory.write("go", "");
    CHECK(within(60s, [&] { return std::filesystem::exists(end_file); }));
}

TEST_CASE("a secret that a command needs and that is gone means that nothing was done", "[command][secrets]") {
    Bench bench;
    CommandSpec spec = shell("true");
    spec.env = named({{"TOKEN", "{$secrets.token}"}});
    const PhaseSpec phase = phase_of(spec);
    const auto request = render_request(phase.action, std::nullopt, bench.scope);  // secrets stay references
    REQUIRE(request);
    bench.scope.secret = [](std::string_view) { return fail(Failure::secret, "secret \"token\" cannot be had: no"); };
    const Attempt attempt = perform(phase, *request, bench.scope, kPatient, bench.work);
    CHECK(attempt.verdict == Verdict::not_applied);
    CHECK(attempt.reason == "secret \"token\" cannot be had: no; nothing was done");
    CHECK(bench.host.started() == 0);
}

TEST_CASE("a reason shows no secret, though the command prints it", "[command][secrets]") {
    Bench bench;
    bench.scope.secret = [](std::string_view) { return "s3cret"; };
    CommandSpec spec = shell("echo \"bad token $$TOKEN\" >&2; exit 9");
    spec.env = named({{"TOKEN", "{$secrets.token}"}});
    CHECK(bench.perform_once(phase_of(spec), kPatient).reason == "exit status 9: bad token ***");
}

TEST_CASE("a command's last words are shortened only when the secrets in them are hidden", "[command][secrets]") {
    Bench bench;
    std::string secret = "s3cret-of-more-than-ten-bytes";
    bench.scope.secret = [&](std::string_view) { return secret; };
    const auto reason = [&](const std::string& words) {
        CommandSpec spec = shell(words + " >&2; exit 9");
        spec.env = named({{"TOKEN", "{$secrets.token}"}});
        return bench.perform_once(phase_of(spec), kPatient).reason;
    };
    const std::string dots(150, '.');
    SECTION("a line that is too long to be shown") {
        CHECK(reason("printf '%s' '" + dots + "' \"$$TOKEN\" '" + dots + "'") ==
              "exit status 9: " + dots + "***" + std::string(7, '.') + "…");
    }
    SECTION("a line that is too long to be kept") {
        // Secret after secret, so that what is kept begins within one.
        for (const int length : {100'000, 100'003, 100'011, 100'016}) {
            const std::string text = reason("yes \"$$TOKEN\" | tr -d '\\n' | head -c " + std::to_string(length));
            INFO(text);
            CHECK(text.starts_with("exit status 9: "));
            CHECK(text.find("bytes") == std::string::npos);
        }
    }
    SECTION("a secret of several lines") {
        secret = "first line\nsecond line";
        CHECK(reason("echo \"key: $$TOKEN\"") == "exit status 9: key: ***");
    }
}
