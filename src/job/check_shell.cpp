// sh -c SCRIPT: whatever an expression puts into the script would be run as shell code.

#include <algorithm>
#include <array>

#include "job/read.hpp"

namespace lockstep {

namespace {

constexpr std::array<std::string_view, 9> kShells = {"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "yash", "fish"};

bool is_shell(const Template& argument) {
    if (argument.parts.size() != 1 || argument.parts.front().is_expression) return false;
    std::string_view name = argument.parts.front().literal;
    name.remove_prefix(name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/') + 1);
    return std::ranges::find(kShells, name) != kShells.end();
}

std::string_view option_text(const Template& argument) {
    return argument.is_constant() && !argument.parts.empty() ? std::string_view(argument.parts.front().literal)
                                                             : std::string_view();
}

/// The index of the script behind the shell at `shell`, or 0 if it has none: `bash -euo pipefail -c SCRIPT`, `sh -ec SCRIPT`.
std::size_t script_index(const std::vector<Template>& argv, std::size_t shell) {
    bool is_script = false;
    for (std::size_t i = shell + 1; i < argv.size(); ++i) {
        const std::string_view option = option_text(argv[i]);
        const bool ends_options = option == "--" || option == "-";
        const bool is_option = option.size() > 1 && (option.front() == '-' || option.front() == '+') && !ends_options;
        if (ends_options) continue;
        if (!is_option) return is_script ? i : 0;
        if (option == "--command") is_script = true;
        if (option.starts_with("--")) {
            if (option == "--rcfile" || option == "--init-file") ++i;
            continue;
        }
        if (option.find('c') != std::string_view::npos) is_script = true;
        if (option.find_first_of("oO") != std::string_view::npos) ++i;  // takes a value of its own
    }
    return 0;
}

}  // namespace

void check_shell_script(Reading& reading, const Place& argv_place, const std::vector<Template>& argv) {
    for (std::size_t shell = 0; shell < argv.size(); ++shell) {
        if (!is_shell(argv[shell])) continue;
        const std::size_t script = script_index(argv, shell);
        if (script == 0 || argv[script].is_constant()) continue;
        const auto& parts = argv[script].parts;
        const auto expression = std::ranges::find(parts, true, &Template::Part::is_expression);
        reading.findings.add_in_string(argv_place.element(script), expression->expression.offset,
                                       expression->expression.source + " inside a shell script would be run as code",
                                       "write \"$1\" in the script and give the expression as an argument behind it: " +
                                           std::string("[…, \"-c\", SCRIPT, \"sh\", \"{") + expression->expression.source +
                                           "}\"]");
        return;
    }
}

}  // namespace lockstep
