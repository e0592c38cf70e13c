// For zsh: descriptions for _arguments(1), see zshcompsys(1).

#include "base/text.hpp"
#include "cli/completion.hpp"

namespace lockstep {

namespace {

/// _arguments(1) gives ':' and brackets a meaning of their own.
std::string zsh_text(const std::string& help) {
    std::string out;
    for (const char c : help) {
        if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
        out += c;
    }
    return brief_help(out, "'\\''");
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

}  // namespace

std::string zsh_completion(const Manual& manual) {
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

}  // namespace lockstep
