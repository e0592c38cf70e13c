// For fish: a `complete` line for each option.

#include "base/text.hpp"
#include "cli/completion.hpp"

namespace lockstep {

namespace {

std::string fish_option(const std::string& condition, const OptionManual& option) {
    std::string text = "complete -c lockstep -n '" + condition + "'";
    for (const std::string& name : option.names)
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (const auto words = option.words(); !words.empty()) {
        text += std::string(option.is_positional() ? "" : " -x") + " -a '" + joined(words, " ") + "'";
    } else if (option.is_directory()) {
        text += std::string(option.is_positional() ? "" : " -x") + " -a '(__fish_complete_directories)'";
    } else if (option.is_file()) {
        text += option.is_positional() ? " -F" : " -r -F";
        if (option.is_lock()) text += " -a '(__lockstep_locks)'";
    } else if (!option.value.empty()) {
        text += " -x";
    }
    return text + (option.is_positional() ? "" : " -d '" + brief_help(option.help, "\\'") + "'") + "\n";
}

/// Which of the words the command's first one is, the one that is being typed among them: behind `--`, or behind NAME or a
/// --lock. Nothing: there is none yet.
std::string fish_command_at(const CommandManual& command) {
    std::vector<std::string> valued;
    for (const OptionManual& option : command.options) {
        if (!option.value.empty()) valued.insert(valued.end(), option.names.begin(), option.names.end());
    }
    return "function __lockstep_command_at\n"
           "    set -l words (commandline -opc)\n"
           "    set -l named 0\n"
           "    set -l i 3\n"
           "    while test $i -le (count $words)\n"
           "        switch $words[$i]\n"
           "            case --\n"
           "                math $i + 1\n"
           "                return\n"
           "            case '--lock=*'\n"
           "                set named 1\n"
           "            case " +
           joined(valued, " ") +
           "\n"
           "                test $words[$i] = --lock; and set named 1\n"
           "                set i (math $i + 1)\n"
           "            case '-*'\n"
           "            case '*'\n"
           "                test $named = 1; and break\n"
           "                set named 1\n"
           "        end\n"
           "        set i (math $i + 1)\n"
           "    end\n"
           "    test $named = 1; or return\n"
           // An option may still follow a --lock, and -- a NAME.
           "    test $i -gt (count $words); and string match -q -- '-*' (commandline -ct); and return\n"
           "    echo $i\n"
           "end\n"
           "function __lockstep_in_command\n"
           "    count (__lockstep_command_at) >/dev/null\n"
           "end\n";
}

}  // namespace

std::string fish_completion(const Manual& manual) {
    std::string text =
        "# fish completion for lockstep(1)\ncomplete -c lockstep -f\n"
        "function __lockstep_locks\n"
        "    set -l words (commandline -opc)\n"
        "    $words[1] locks 2>/dev/null | " +
        std::string(kFirstColumn) +
        "\n"
        "end\n"
        // Of its own: __fish_complete_subcommand passes over words that look like options, also those of the command.
        "function __lockstep_command\n"
        "    set -l words (commandline -opc)\n"
        "    set -l token (commandline -ct)\n"
        "    set -l at (__lockstep_command_at)\n"
        "    set words $words[$at..]\n"
        "    set -q words[1]; and set words (string escape -- $words)\n"
        "    complete -C \"$words $token\"\n"
        "end\n";
    text += "complete -c lockstep -n __fish_use_subcommand -l help -d 'tell what there is'\n";
    text += "complete -c lockstep -n __fish_use_subcommand -l version -d 'tell which lockstep this is'\n";
    for (const CommandManual& command : manual.commands) {
        text += "complete -c lockstep -n __fish_use_subcommand -a " + command.name + " -d '" +
                brief_help(command.description, "\\'") + "'\n";
        const std::string seen = "__fish_seen_subcommand_from " + command.name;
        const std::string condition = seen + (command.runs_a_command ? "; and not __lockstep_in_command" : "");
        if (command.runs_a_command) text += fish_command_at(command);
        int before = 2;  // lockstep and the command
        for (const OptionManual& option : command.options) {
            const bool silent = option.is_positional() && !option.is_file() && !option.is_directory() && option.words().empty();
            // Words that are no options, near enough: an option's value counts, too.
            const std::string place =
                option.is_positional() && !option.is_repeated() && !command.runs_a_command
                    ? "; and test (count (string match -v -- \"-*\" (commandline -opc))) -eq " + std::to_string(before++)
                    : "";
            if (!silent) text += fish_option(condition + place, option);
        }
        if (command.runs_a_command)
            text += "complete -c lockstep -n '" + seen + "; and __lockstep_in_command' -x -a '(__lockstep_command)'\n";
    }
    return text;
}

}  // namespace lockstep
