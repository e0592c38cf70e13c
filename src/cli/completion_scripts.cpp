// What each shell needs to complete our command lines.

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text.hpp"
#include "cli/manual.hpp"

namespace lockstep {

namespace {

std::vector<std::string> names_of(const CommandManual& command) {
    std::vector<std::string> names;
    for (const OptionManual& option : command.options) names.insert(names.end(), option.names.begin(), option.names.end());
    return names;
}

/// A help text as one line of a shell word in single quotes, with an apostrophe as that shell has it in there.
std::string brief(const std::string& text, std::string_view apostrophe) {
    std::string line;
    for (const char c : text) line += c == '\'' ? std::string(apostrophe) : std::string(1, c == '\n' ? ' ' : c);
    return line;
}

/// Prints the first column of `lockstep locks`, without its head and without what is said below a lock.
constexpr char kFirstColumn[] = "sed -n \"2,\\$s/^\\([^ ][^ ]*\\).*/\\1/p\"";

// ---- bash ------------------------------------------------------------------------------------------------------------------

std::string bash_value(const OptionManual& option) {
    if (const auto words = option.words(); !words.empty())
        return "COMPREPLY=($(compgen -W '" + joined(words, " ") + "' -- \"$cur\"))";
    if (option.is_directory()) return "COMPREPLY=($(compgen -d -- \"$cur\"))";
    if (option.is_lock())
        return "COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" locks 2>/dev/null | " + std::string(kFirstColumn) +
               ")\" -- \"$cur\") $(compgen -f -- \"$cur\"))";
    if (option.is_file()) return "COMPREPLY=($(compgen -f -- \"$cur\"))";
    return ":";
}

std::string bash_command(const CommandManual& command) {
    std::string text = "        " + command.name + ")\n            case $prev in\n";
    std::string positional;
    int count = 0;
    for (const OptionManual& option : command.options) {
        if (option.is_positional()) {
            const std::string which = option.is_repeated() ? "*" : std::to_string(count++);
            positional += "                    " + which + ") " + bash_value(option) + " ;;\n";
        } else if (!option.value.empty()) {
            text += "                " + joined(option.names, " | ") + ") " + bash_value(option) + "; return ;;\n";
        }
    }
    return text + "            esac\n            if [[ $cur == -* ]]; then\n                COMPREPLY=($(compgen -W '" +
           joined(names_of(command), " ") + "' -- \"$cur\"))\n            else\n                case $seen in\n" + positional +
           "                esac\n            fi\n            ;;\n";
}

/// The options that the word behind them belongs to.
std::string bash_options_with_value(const CommandManual& command) {
    std::vector<std::string> names;
    for (const OptionManual& option : command.options) {
        if (!option.value.empty()) names.insert(names.end(), option.names.begin(), option.names.end());
    }
    return "        " + command.name + ") with_value=' " + joined(names, " ") + " ' ;;\n";
}

std::string bash_script(const Manual& manual) {
    std::vector<std::string> commands;
    std::string cases;
    std::string with_value;
    for (const CommandManual& command : manual.commands) {
        commands.push_back(command.name);
        cases += bash_command(command);
        with_value += bash_options_with_value(command);
    }
    // Behind "--" and, with exec, behind the lock's name stand no options of ours.
    return "# bash completion for lockstep(1)\n"
           "_lockstep_command() {\n"
           "    if declare -F _command_offset >/dev/null; then _command_offset \"$1\"\n"
           "    elif ((COMP_CWORD == $1)); then COMPREPLY=($(compgen -c -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
           "    else COMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")); fi\n"
           "}\n"
           "_lockstep() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command='' with_value='' named='' at i "
           "seen=0\n"
           "    COMPREPLY=()\n"
           // Readline divides --wait=1s into three words.
           "    if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
           "    for ((at = 1; at < COMP_CWORD; ++at)); do\n"
           "        if [[ ${COMP_WORDS[at]} != -* ]]; then command=${COMP_WORDS[at]}; break; fi\n"
           "    done\n"
           "    case $command in\n" +
           with_value +
           "    esac\n"
           "    for ((i = at + 1; i < COMP_CWORD; ++i)); do\n"
           "        if [[ ${COMP_WORDS[i]} == -- ]]; then\n"
           "            if [[ $command == exec ]]; then _lockstep_command $((i + 1)); else COMPREPLY=($(compgen -f -- "
           "\"$cur\")); fi\n"
           "            return\n"
           "        elif [[ ${COMP_WORDS[i]} == -* ]]; then\n"
           "            [[ $command == exec && ${COMP_WORDS[i]} == --lock ]] && named=1\n"
           "            if [[ $with_value == *\" ${COMP_WORDS[i]} \"* ]]; then\n"
           "                ((++i))\n"
           "                [[ ${COMP_WORDS[i]} == = ]] && ((++i))\n"
           "            fi\n"
           "        elif [[ $command == exec && ($named || $seen == 1) ]]; then\n"
           "            _lockstep_command $i\n"
           "            return\n"
           "        else\n"
           "            ((++seen))\n"
           "        fi\n"
           "    done\n"
           "    if [[ $command == exec && $cur != -* && ($named || $seen == 1) ]]; then _lockstep_command $COMP_CWORD; return; "
           "fi\n"
           "    case $command in\n"
           "        '') COMPREPLY=($(compgen -W '" +
           joined(commands, " ") + " --help --version' -- \"$cur\")) ;;\n" + cases +
           "    esac\n"
           "}\n"
           "complete -o filenames -F _lockstep lockstep\n";
}

// ---- zsh -------------------------------------------------------------------------------------------------------------------

/// _arguments(1) gives ':' and brackets a meaning of their own.
std::string zsh_text(const std::string& help) {
    std::string out;
    for (const char c : help) {
        if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
        out += c;
    }
    return brief(out, "'\\''");
}

std::string zsh_value(const OptionManual& option) {
    if (option.value.empty()) return "";
    const std::string action = !option.words().empty() ? "(" + joined(option.words(), " ") + ")"
                               : option.is_directory() ? "_files -/"
                               : option.is_lock()      ? "_lockstep_locks"
                               : option.is_file()      ? "_files"
                                                       : " ";
    return ":" + zsh_text(option.value) + ":" + action;
}

std::string zsh_command(const CommandManual& command) {
    // -S: no options behind "--"; -A: none behind the first word that is no option, for from there on it is another command's
    // line.
    const std::string where = command.runs_a_command ? " -S -A '-*'" : " -S";
    std::string text = "                " + command.name + ")\n                    _arguments -s" + where;
    for (const OptionManual& option : command.options) {
        if (option.is_positional()) {
            // Whether there is a NAME before a command depends on --lock: _lockstep_command sees to that.
            if (!command.runs_a_command) text += " \\\n                        '" + zsh_value(option) + "'";
            continue;
        }
        for (const std::string& name : option.names) {
            const char* equals = name.starts_with("--") && !option.value.empty() ? "=" : "";
            text +=
                " \\\n                        '*" + name + equals + "[" + zsh_text(option.help) + "]" + zsh_value(option) + "'";
        }
    }
    if (command.runs_a_command) text += " \\\n                        '*::command:_lockstep_command'";
    return text + "\n                    ;;\n";
}

std::string zsh_script(const Manual& manual) {
    std::string commands;
    std::string cases;
    for (const CommandManual& command : manual.commands) {
        commands += "                '" + command.name + ":" + zsh_text(command.description) + "'\n";
        cases += zsh_command(command);
    }
    return "#compdef lockstep\n"
           "_lockstep_locks() {\n"
           "    compadd -- ${(f)\"$(_call_program locks $lockstep_program locks 2>/dev/null | " +
           std::string(kFirstColumn) +
           ")\"}\n"
           "    _files\n"
           "}\n"
           // What _normal is given begins with the command: NAME, where no --lock stands before it, and -- are taken away.
           "_lockstep_command() {\n"
           "    if [[ $words[1] != -- ]] && (( ! lockstep_named )); then\n"
           "        if (( CURRENT == 1 )); then _lockstep_locks; return; fi\n"
           "        shift words; (( --CURRENT ))\n"
           "    fi\n"
           "    if [[ $words[1] == -- ]] && (( CURRENT > 1 )); then shift words; (( --CURRENT )); fi\n"
           "    _normal\n"
           "}\n"
           "_lockstep() {\n"
           "    local curcontext=$curcontext state line lockstep_program=$words[1]\n"
           "    local -i lockstep_named=$(( ${words[(I)--lock(|=*)]} > 0 ))\n"
           "    _arguments -C '(- *)--help[tell what there is]' '(- *)--version[tell which lockstep this is]' "
           "'1:command:->command' "
           "'*::arguments:->arguments'\n"
           "    case $state in\n"
           "        command)\n"
           "            local -a commands=(\n" +
           commands +
           "            )\n"
           "            _describe command commands\n"
           "            ;;\n"
           "        arguments)\n"
           "            case $words[1] in\n" +
           cases +
           "            esac\n"
           "            ;;\n"
           "    esac\n"
           "}\n"
           "if [[ $funcstack[1] == _lockstep ]]; then _lockstep \"$@\"; else compdef _lockstep lockstep; fi\n";
}

// ---- fish ------------------------------------------------------------------------------------------------------------------

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
    return text + (option.is_positional() ? "" : " -d '" + brief(option.help, "\\'") + "'") + "\n";
}

std::string fish_script(const Manual& manual) {
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
        "    set -l dashes (contains -i -- -- $words); or return\n"
        "    set -e words[1..$dashes]\n"
        "    set -q words[1]; and set words (string escape -- $words)\n"
        "    complete -C \"$words $token\"\n"
        "end\n";
    text += "complete -c lockstep -n __fish_use_subcommand -l help -d 'tell what there is'\n";
    text += "complete -c lockstep -n __fish_use_subcommand -l version -d 'tell which lockstep this is'\n";
    for (const CommandManual& command : manual.commands) {
        text += "complete -c lockstep -n __fish_use_subcommand -a " + command.name + " -d '" +
                brief(command.description, "\\'") + "'\n";
        const std::string condition = "__fish_seen_subcommand_from " + command.name;
        int before = 2;  // lockstep and the command
        for (const OptionManual& option : command.options) {
            const bool silent = option.is_positional() && !option.is_file() && !option.is_directory() && option.words().empty();
            // Words that are no options, near enough: an option's value counts, too.
            const std::string place =
                option.is_positional() && !option.is_repeated()
                    ? "; and test (count (string match -v -- \"-*\" (commandline -opc))) -eq " + std::to_string(before++)
                    : "";
            if (!silent) text += fish_option(condition + place, option);
        }
        if (command.runs_a_command)
            text += "complete -c lockstep -n '" + condition +
                    "; and contains -- -- (commandline -opc)' -x -a '(__lockstep_command)'\n";
    }
    return text;
}

}  // namespace

std::string completion_script(const Manual& manual, Shell shell) {
    switch (shell) {
        case Shell::bash: return bash_script(manual);
        case Shell::zsh: return zsh_script(manual);
        case Shell::fish: return fish_script(manual);
    }
    return "";
}

}  // namespace lockstep
