// How the verdict about a job's supervisor is told.

#include "base/text.hpp"
#include "supervise/supervision.hpp"

namespace lockstep {

namespace {

constexpr std::size_t kLongestPlace = 4096;

std::string given_text(const Supervision& supervision) {
    if (!supervision.given_known) return "unknown: " + printable(supervision.setting) + " cannot be expanded here";
    const std::string time = supervision.given ? format_duration(*supervision.given) : "for ever";
    const std::string where =
        supervision.setting_place.file.empty() ? "the default" : printable(supervision.setting_place.text(), kLongestPlace);
    return time + " (" + printable(supervision.setting) + ", " + where + ")";
}

/// "write  conf:12: stopwaitsecs=55"
std::string write_text(const Advice& advice) {
    return printable(advice.place.text(), kLongestPlace) + (advice.add ? ": add " : ": write ") +
           printable(advice.write, kLongestPlace);
}

std::string verdict_text(const Supervision& supervision) {
    switch (supervision.verdict) {
        case StopVerdict::enough:
            return supervision.extended
                       ? "enough: too short by itself, but the run asks for more time as it goes, and is heard "
                         "(NotifyAccess=)"
                       : "enough";
        case StopVerdict::tight: return "tight: the longest pair fits, but not the time to end after it";
        case StopVerdict::too_short: return "too short: a stop can be cut by SIGKILL";
        case StopVerdict::lost: return "lost: no request to stop gets to lockstep";
        case StopVerdict::unknown: return "unknown";
    }
    return "";
}

Json place_json(const ConfigPlace& place) {
    if (place.file.empty()) return {};
    Json json = Json::object();
    json.set("file", Json::of_string(place.file));
    json.set("line", Json::of_number(place.line));
    return json;
}

Json advice_json(const Advice& advice) {
    Json json = Json::object();
    json.set("place", place_json(advice.place));
    json.set("add", Json::of_boolean(advice.add));
    json.set("why", Json::of_string(advice.why));
    json.set("write", Json::of_string(advice.write));
    return json;
}

}  // namespace

std::string supervision_text(const Supervision& supervision) {
    const std::string needed =
        std::to_string(supervision.budget.seconds) + "s: the longest pair, " +
        format_duration(supervision.budget.longest_pair) + ", and " + format_duration(supervision.budget.margin) + " to end" +
        (supervision.delay.count() > 0 ? ", behind the grace of lockstep exec, " + format_duration(supervision.delay) : "");
    std::string text = "  " + supervision.supervisor + " " + printable(supervision.name) + ", " +
                       printable(supervision.place.text(), kLongestPlace) + "\n    must wait  " + needed + "\n    waits      " +
                       given_text(supervision) + "\n    verdict    " + verdict_text(supervision) + "\n";
    if (supervision.change) text += "    change     " + write_text(*supervision.change) + "\n";
    for (const Advice& warning : supervision.warnings)
        text += "    warning    " + printable(warning.why, 1000) + "\n               " + write_text(warning) + "\n";
    return text;
}

Json supervision_json(const Supervision& supervision) {
    Json json = Json::object();
    json.set("supervisor", Json::of_string(supervision.supervisor));
    json.set("name", Json::of_string(supervision.name));
    json.set("place", place_json(supervision.place));
    json.set("verdict", Json::of_string(std::string(to_string(supervision.verdict))));
    json.set("extended", Json::of_boolean(supervision.extended));
    json.set("longestPairMs", Json::of_number(supervision.budget.longest_pair.count()));
    json.set("neededSeconds", Json::of_number(supervision.budget.seconds));
    const bool known = supervision.given && supervision.given_known;
    json.set("givenMs", known ? Json::of_number(supervision.given->count()) : Json());
    json.set("setting", Json::of_string(supervision.setting));
    json.set("settingPlace", place_json(supervision.setting_place));
    json.set("change", supervision.change ? advice_json(*supervision.change) : Json());
    Json& warnings = json.set("warnings", Json::array());
    for (const Advice& warning : supervision.warnings) warnings.push(advice_json(warning));
    return json;
}

}  // namespace lockstep
