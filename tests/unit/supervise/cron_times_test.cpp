#include "supervise/cron_times.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;
using Catch::Matchers::Contains;

namespace {

std::string problem(const std::string& text, CronDialect dialect = CronDialect::cron) {
    const auto checked = check_cron_times(text, dialect);
    if (checked) return "";
    CHECK(checked.error().failure == Failure::usage);
    return checked.error().text;
}

}  // namespace

TEST_CASE("the times of crontab(5) are taken", "[cron_times]") {
    const std::string text =
        GENERATE(as<std::string>{}, "* * * * *", "*/5 * * * *", "0-59/5 0 1 1 0", "1,2,3 23 31 12 7", "1-3,5-7/2 * * * *",
                 "*  *\t* jan mon-fri", "0 3 * JAN,Feb Sun", "0~30 * * * *", "@hourly", "@daily", "@midnight", "@weekly",
                 "@monthly", "@yearly", "@annually", "@reboot");
    CHECK(problem(text).empty());
}

TEST_CASE("a time that never comes, or that cron would refuse, is refused with the field that is wrong", "[cron_times]") {
    const auto [text, what] = GENERATE(table<std::string, std::string>({
        {"99 * * * *", "the minute \"99\" is not within 0 to 59"},
        {"* 24 * * *", "the hour \"24\" is not within 0 to 23"},
        {"* * 0 * *", "the day of month \"0\" is not within 1 to 31"},
        {"* * * 13 *", "the month \"13\" is not within 1 to 12, or jan to dec"},
        {"* * * january *", "the month \"january\" is not"},
        {"* * * * 8", "the day of week \"8\" is not within 0 to 7, or sun to sat"},
        {"mon * * * *", "the minute \"mon\" is not within"},
        {"50-10 * * * *", "the minute \"50-10\" begins behind its end"},
        {"*/0 * * * *", "the minute \"*/0\" has a step that is no number from 1 on"},
        {"5/10 * * * *", "the minute \"5/10\" has a step, but no range before it"},
        {"1-2-3 * * * *", "\"1-2-3\" is no range"},
        {"*/5/2 * * * *", "more than one step"},
        {"1, * * * *", "the minute \"\" is not within"},
        {"-1 * * * *", "the minute \"-1\" is not within"},
        {"1000000000000 * * * *", "is not within 0 to 59"},
        {"* * * *", "is not five fields"},
        {"* * * * *\n* * * * * root rm", "is not five fields"},
        {"* * * * mon\n*", "the day of week \"mon\\n*\" is not"},
        {"hourly", "is not five fields"},
        {"", "is not five fields"},
        {"@bogus", "is none of @hourly"},
        {"@every 5m", "is none of @hourly"},
        {"@daily x", "is none of @hourly"},
    }));
    CHECK_THAT(problem(text), Contains(what));
}

TEST_CASE("Kubernetes has a few words of its own, and no other name for Sunday", "[cron_times]") {
    for (const char* text : {"5/10 * * * *", "* * ? * *", "@every 5m", "0 3 * * 0"}) {
        INFO(text);
        CHECK(problem(text, CronDialect::kubernetes).empty());
    }
    for (const char* text : {"* * * * 7", "0~30 * * * *", "@reboot", "@every soon"}) {
        INFO(text);
        CHECK_FALSE(problem(text, CronDialect::kubernetes).empty());
    }
}
