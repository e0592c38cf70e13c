#include "supervise/entry_words.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"

namespace lockstep {

namespace {

std::string joined(const std::vector<std::string>& words, std::string (*quoted)(const std::string& word)) {
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : " ") + quoted(word);
    return line;
}

std::string systemd_quoted(const std::string& word) {
    const bool bare = !word.empty() && word.find_first_of(" \t\"'\\;") == std::string::npos;
    return bare ? word : "\"" + replaced(replaced(word, "\\", "\\\\"), "\"", "\\\"") + "\"";
}

std::string systemd_word(const std::string& word) { return systemd_quoted(replaced(replaced(word, "%", "%%"), "$", "$$")); }

}  // namespace

Result<std::vector<std::string>> command_words(const EntryRequest& request) {
    std::vector<std::string> words = {request.program, request.every ? "loop" : "run", request.job_file};
    words.insert(words.end(), request.options.begin(), request.options.end());
    if (!request.pause_option.empty()) words.insert(words.end(), {"--every", request.pause_option});
    for (const std::string& word : words) {
        if (std::ranges::any_of(word, [](unsigned char c) { return c < ' ' || c == 0x7F; }))
            return fail(Failure::usage, "\"" + printable(word) + "\" has a control character, which no entry can hold");
    }
    return words;
}

std::string for_supervisord(const std::vector<std::string>& words) {
    std::vector<std::string> doubled = words;
    for (std::string& word : doubled) word = replaced(word, "%", "%%");
    return for_supervisord_as_written(doubled);
}

std::string for_supervisord_as_written(const std::vector<std::string>& words) {
    const std::string line = joined(words, [](const std::string& word) { return shell_quoted(word); });
    // Only ever inside single quotes, where '' ends them and begins them again.
    return replaced(replaced(line, " ;", " '';"), " #", " ''#");
}

std::string for_systemd(const std::vector<std::string>& words) { return joined(words, systemd_word); }

std::string for_systemd_as_written(const std::vector<std::string>& words) { return joined(words, systemd_quoted); }

std::string for_cron(const std::vector<std::string>& words) {
    return replaced(joined(words, [](const std::string& word) { return shell_quoted(word); }), "%", "\\%");
}

std::string yaml_quoted(const std::string& text) { return to_text(Json::of_string(text)); }

std::string for_yaml(const std::vector<std::string>& words) {
    std::string list;
    for (const std::string& word : words) list += (list.empty() ? "" : ", ") + yaml_quoted(replaced(word, "$(", "$$("));
    return "[" + list + "]";
}

std::vector<std::string> secret_variables(const JobSpec& job) {
    std::vector<std::string> names;
    for (const std::string& used : job.used_secrets) {
        const auto secret = job.secrets.find(used);
        if (secret != job.secrets.end() && !secret->second.env.empty()) names.push_back(secret->second.env);
    }
    return names;
}

Timetable timetable_for(const JobSpec& job) {
    const auto minutes = job.expect_every ? std::chrono::floor<std::chrono::minutes>(*job.expect_every).count() : 60;
    const std::string every = std::to_string(minutes);
    if (minutes == 1) return {"* * * * *", "minutely"};
    if (minutes > 0 && minutes < 60 && 60 % minutes == 0) return {"*/" + every + " * * * *", "*:0/" + every};
    const std::string hours = std::to_string(minutes / 60);
    if (minutes > 60 && minutes < 1440 && 1440 % minutes == 0 && minutes % 60 == 0)
        return {"0 */" + hours + " * * *", "0/" + hours + ":00"};
    if (minutes == 1440) return {"0 3 * * *", "*-*-* 03:00:00"};
    return {"0 * * * *", "hourly"};
}

Result<std::string> cron_schedule(const JobSpec& job, const std::string& schedule, CronDialect dialect) {
    if (schedule.empty()) return timetable_for(job).cron;
    if (auto checked = check_cron_times(schedule, dialect); !checked) return std::unexpected(std::move(checked.error()));
    return schedule;
}

}  // namespace lockstep
