#include "report/expectation.hpp"

#include <algorithm>

namespace lockstep {

namespace {

/// A clock that was set back makes no negative age.
Millis age(std::int64_t then_ms, std::int64_t now_ms) { return Millis{std::max<std::int64_t>(now_ms - then_ms, 0)}; }

/// Written while the clock was wrong: if that counted, nobody would hear of a job that runs no more until this time comes.
bool is_far_ahead(const Expectation& expectation, std::int64_t now_ms) {
    return expectation.every && expectation.last_success_ms &&
           Millis{*expectation.last_success_ms - now_ms} > *expectation.every;
}

}  // namespace

bool is_overdue(const Expectation& expectation, std::int64_t now_ms) {
    if (!expectation.every) return false;
    if (!expectation.last_success_ms || age(*expectation.last_success_ms, now_ms) > *expectation.every) return true;
    return is_far_ahead(expectation, now_ms);
}

std::string expectation_text(const Expectation& expectation, std::int64_t now_ms) {
    std::string last =
        is_far_ahead(expectation, now_ms) ? "last success at a time that is still to come (the clock was set back)"
        : expectation.last_success_ms ? "last success " + describe_duration(age(*expectation.last_success_ms, now_ms)) + " ago"
                                      : "no success yet";
    if (!expectation.every) return last;
    return last + ", expected every " + format_duration(*expectation.every) +
           (is_overdue(expectation, now_ms) ? ": overdue" : "");
}

void add_expectation(Json& json, const Expectation& expectation, std::int64_t now_ms) {
    const std::optional<std::int64_t>& last = expectation.last_success_ms;
    json.set("lastSuccessAgeMs", last ? Json::of_number(age(*last, now_ms).count()) : Json());
    json.set("expectEveryMs", expectation.every ? Json::of_number(expectation.every->count()) : Json());
    json.set("overdue", expectation.every ? Json::of_boolean(is_overdue(expectation, now_ms)) : Json());
}

}  // namespace lockstep
