// Sources: crontab(5) and entry.c of Debian's cron 3.0pl1; the CronJob page of Kubernetes and the parser of robfig/cron 3.

#include "supervise/cron_times.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <vector>

#include "base/duration.hpp"
#include "base/text.hpp"

namespace lockstep {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr std::array<std::string_view, 7> kWords = {"@hourly",  "@daily",  "@midnight", "@weekly",
                                                    "@monthly", "@yearly", "@annually"};

struct Field {
    std::string_view name;
    int lowest;
    int highest;
    std::span<const std::string_view> names;  ///< the first stands for the lowest
};

/// A number or a name of the field's; nullopt: neither, or outside.
std::optional<int> value_of(std::string_view text, const Field& field) {
    const auto name = std::ranges::find(field.names, lower_case(text));
    if (name != field.names.end()) return field.lowest + static_cast<int>(name - field.names.begin());
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc{} && end == text.data() + text.size() && text.front() != '-';
    return whole && value >= field.lowest && value <= field.highest ? std::optional(value) : std::nullopt;
}

std::string range_of(const Field& field) {
    std::string text = std::to_string(field.lowest) + " to " + std::to_string(field.highest);
    if (!field.names.empty()) text += ", or " + std::string(field.names.front()) + " to " + std::string(field.names.back());
    return text;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    for (std::size_t at = 0;;) {
        const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
        parts.push_back(text.substr(at, end - at));
        if (end == text.size()) return parts;
        at = end + 1;
    }
}

/// One member of a field's list: "*", "5", "1-5", "*/10", "0-30/5". @return "", or what is wrong with it
std::string problem_of(std::string_view part, const Field& field, CronDialect dialect) {
    const bool is_cron = dialect == CronDialect::cron;
    const auto by_step = split(part, "/");
    if (by_step.size() > 2) return "has more than one step";
    const std::string_view times = by_step.front();
    const auto ends = split(times, is_cron ? "-~" : "-");
    const bool all = times == "*" || (times == "?" && !is_cron);
    if (ends.size() > 2) return "is no range";
    for (const std::string_view end : ends) {
        if (!all && !value_of(end, field)) return "is not within " + range_of(field);
    }
    if (ends.size() == 2 && *value_of(ends[0], field) > *value_of(ends[1], field)) return "begins behind its end";
    if (by_step.size() == 1) return "";
    if (is_cron && !all && ends.size() == 1) return "has a step, but no range before it";
    const Field step{"step", 1, 1000, {}};
    return value_of(by_step[1], step) ? "" : "has a step that is no number from 1 on";
}

std::vector<std::string_view> fields_of(std::string_view text) {
    // What else is blank would end the line, or stand for something else.
    std::vector<std::string_view> fields = split(text, " \t");
    std::erase(fields, "");
    return fields;
}

bool is_word(std::string_view text, CronDialect dialect) {
    if (dialect == CronDialect::cron && text == "@reboot") return true;
    if (dialect == CronDialect::kubernetes && text.starts_with("@every ")) return parse_duration(text.substr(7)).has_value();
    return std::ranges::find(kWords, text) != kWords.end();
}

std::unexpected<Error> refuse(std::string_view text, const std::string& what) {
    return fail(Failure::usage, "--schedule \"" + printable(text) + "\"" + what);
}

}  // namespace

Result<void> check_cron_times(std::string_view text, CronDialect dialect) {
    if (text.starts_with('@')) {
        if (is_word(text, dialect)) return {};
        return refuse(text, " is none of @hourly, @daily, @weekly, @monthly, @yearly" +
                                std::string(dialect == CronDialect::cron ? ", @reboot" : ", @every 5m"));
    }
    const std::vector<std::string_view> fields = fields_of(text);
    if (fields.size() != 5)
        return refuse(text, " is not five fields (minute, hour, day of month, month, day of week) as in \"*/5 * * * *\"");
    const int saturday_or_sunday = dialect == CronDialect::cron ? 7 : 6;
    const std::array<Field, 5> kinds = {{{"minute", 0, 59, {}},
                                         {"hour", 0, 23, {}},
                                         {"day of month", 1, 31, {}},
                                         {"month", 1, 12, kMonths},
                                         {"day of week", 0, saturday_or_sunday, kDays}}};
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        for (const std::string_view part : split(fields[i], ",")) {
            if (const std::string problem = problem_of(part, kinds[i], dialect); !problem.empty())
                return refuse(text, ": the " + std::string(kinds[i].name) + " \"" + printable(part) + "\" " + problem);
        }
    }
    return {};
}

bool looks_like_cron_times(std::string_view text) {
    return fields_of(text).size() == 5 || std::ranges::any_of(kWords, [&](std::string_view word) { return word == text; });
}

}  // namespace lockstep
