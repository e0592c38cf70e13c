// For bash: one function that looks at the words so far.

#include "base/text.hpp"
#include "cli/completion.hpp"

namespace lockstep {

namespace {

std::vector<std::string> names_of(const CommandManual& command) {
    std::vector<std::string> names;
    for (const OptionManual& option : command.options) names.insert(names.end(), option.names.begin(), option.names.end());
    return names;
}

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

}  // namespace

std::string bash_completion(const Manual& manual) {
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

}  // namespace lockstep
