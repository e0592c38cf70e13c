// Who runs us and what it answers; the real ones are asked in tests/system/test_own_supervisor.py.

#include <catch2/catch.hpp>

#include "job/job_file.hpp"
#include "supervise/own_supervisor.hpp"
#include "supervise/supervisord_rpc.hpp"

using namespace lockstep;

namespace {

std::string answer_of(const std::string& group, const std::string& name, const std::string& seconds) {
    return "<value><struct>\n<member>\n<name>group</name>\n<value><string>" + group +
           "</string></value>\n</member>\n<member>\n<name>exitcodes</name>\n<value><array><data>\n<value><int>0</int></value>\n"
           "</data></array></value>\n</member>\n<member>\n<name>name</name>\n<value><string>" +
           name +
           "</string></value>\n</member>\n<member>\n<name>killasgroup</name>\n<value><boolean>1</boolean></value>\n"
           "</member>\n<member>\n<name>stopwaitsecs</name>\n<value><int>" +
           seconds + "</int></value>\n</member>\n</struct></value>\n";
}

}  // namespace

TEST_CASE("of supervisord's answer the process's own part counts", "[supervisord]") {
    const std::string xml = answer_of("a", "a", "10") + answer_of("g", "x&amp;y", "20") + answer_of("h", "x&amp;y", "30");
    CHECK(stopwaitsecs_in_answer(xml, "a", "a") == 10);
    CHECK(stopwaitsecs_in_answer(xml, "h", "x&y") == 30);
    CHECK(stopwaitsecs_in_answer(xml, "", "x&y") == 20);
    CHECK(stopwaitsecs_in_answer(xml, "", "a") == 10);
    CHECK_FALSE(stopwaitsecs_in_answer(xml, "", "b").has_value());
    CHECK_FALSE(stopwaitsecs_in_answer(answer_of("a", "a", "many"), "a", "a").has_value());
}

TEST_CASE("an answer that is cut off or nonsense is no answer, and reads nothing that is not there", "[supervisord]") {
    const std::string xml = answer_of("a", "a", "10");
    for (std::size_t length = 0; length < xml.size(); ++length) {
        const auto seconds = stopwaitsecs_in_answer(std::string(xml, 0, length), "a", "a");
        CHECK((!seconds || seconds == 10 || seconds == 1));
    }
    CHECK_FALSE(stopwaitsecs_in_answer("", "", "").has_value());
    CHECK_FALSE(stopwaitsecs_in_answer("<struct><name>name</name>", "", "").has_value());
}

TEST_CASE("a process of a service is run by systemd, one of a session, of cron or of a container is not", "[run by]") {
    const RunBy service = run_by_cgroup("0::/system.slice/ship-orders.service\n");
    CHECK(service.kind == RunBy::Kind::systemd);
    CHECK(service.unit == "ship-orders.service");
    CHECK_FALSE(service.user_manager);
    const RunBy user = run_by_cgroup("0::/user.slice/user-1000.slice/user@1000.service/app.slice/mine.service\n");
    CHECK(user.unit == "mine.service");
    CHECK(user.user_manager);
    CHECK(run_by_cgroup("12:cpu:/\n1:name=systemd:/system.slice/a.service\n0::/\n").unit == "a.service");
    for (const char* text : {"0::/user.slice/user-0.slice/session-3.scope\n", "0::/system.slice/cron.service\n", "0::/\n", "",
                             "0::/user.slice/user-1000.slice/user@1000.service\n", "5:memory:/system.slice/a.service\n"}) {
        INFO(text);
        CHECK(run_by_cgroup(text).kind == RunBy::Kind::person);
    }
}

TEST_CASE("what is declared is believed, and nobody is asked", "[run by]") {
    const auto job = parse_job(R"({"lockstep": 1, "job": "a", "steps": [{"step": "s",
        "first": {"http": {"method": "PUT", "url": "http://h/"}, "deadline": "20s"}}]})",
                               "a.json", "/", {});
    REQUIRE(job.has_value());
    SupervisedRun run;
    run.by.kind = RunBy::Kind::supervisord;
    run.by.server_url = "unix:///nowhere";
    const auto ask = [&](std::optional<Millis> declared) {
        run.declared_wait = declared;
        return ask_own_supervisor(*job, run, Millis{100});
    };
    CHECK(ask(Millis{19'999})->too_short);
    CHECK_THAT(ask(Millis{10'000})->text,
               Catch::Matchers::Contains("waits 10s") && Catch::Matchers::Contains("--stop-timeout 25s"));
    CHECK_FALSE(ask(Millis{20'000})->too_short);
    CHECK(ask(Millis{25'000})->text.empty());
    CHECK_FALSE(ask(std::nullopt).has_value());
}
