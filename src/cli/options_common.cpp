// Options that several commands share.

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/text.hpp"
#include "cli/options.hpp"

namespace lockstep::options {

Millis duration(const std::string& option, const std::string& text) {
    const auto duration = parse_duration(text);
    if (!duration) throw CLI::ValidationError(option, duration.error().text);
    return *duration;
}

Millis pause_of_loop(const std::string& option, const std::string& text) {
    const Millis pause = duration(option, text);
    if (pause == Millis{0}) throw CLI::ValidationError(option, "the pause between two passes must be longer than 0");
    return pause;
}

CLI::Option* take_only(CLI::Option* option, const std::vector<std::string>& words) {
    std::string shown;
    for (const std::string& word : words) shown += (shown.empty() ? "" : "|") + word;
    const auto refuse = [words](const std::string& given) -> std::string {
        if (std::ranges::find(words, given) != words.end()) return "";
        std::string all;
        for (const std::string& word : words) all += (all.empty() ? "" : &word == &words.back() ? " or " : ", ") + word;
        return "\"" + printable(given) + "\" is not " + all +
               did_you_mean(given, std::vector<std::string_view>(words.begin(), words.end()));
    };
    return option->check(CLI::Validator(refuse, ""))->type_name(shown);
}

void add_values(CLI::App& command, const std::string& option, NamesAndValues& values, const std::string& help) {
    command
        .add_option_function<std::vector<std::string>>(
            option,
            [&values, option](const std::vector<std::string>& texts) {
                for (const std::string& text : texts) {
                    const std::size_t equals = text.find('=');
                    if (equals == std::string::npos || equals == 0)
                        throw CLI::ValidationError(option + ": write NAME=VALUE, not \"" + text + "\"");
                    values.emplace_back(text.substr(0, equals), text.substr(equals + 1));
                }
            },
            help)
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
}

void add_job_file(CLI::App& command, JobFileOptions& file) {
    command.add_option("--lock", file.lock, "lock directory: a path, in place of the job file's")->type_name("PATH");
    add_values(command, "--set", file.set, "value of a parameter that the job file declares; may be repeated");
}

void add_state_directory(CLI::App& command, std::string& directory) {
    command.add_option("--state-dir", directory, "where the journal lies")->type_name("DIR");
}

}  // namespace lockstep::options
