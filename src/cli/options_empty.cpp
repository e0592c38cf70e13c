// A value that is empty, as of "--lock=$LOCK" without a LOCK, is never one that was left out: the run would take another lock
// or another journal than the one that was meant.

#include <CLI/CLI.hpp>
#include <string_view>

#include "base/text.hpp"
#include "cli/options.hpp"

namespace lockstep::options {

std::string empty_option(const CLI::App& command, int argc, char** argv) {
    for (int at = 0; at < argc; ++at) {
        const std::string_view word = argv[at];
        if (word == "--") break;
        if (!word.starts_with('-')) continue;
        if (word.starts_with("--") && word.find('=') == word.size() - 1)
            return printable(word) + " is empty: write a value behind it, or leave it out";
        const CLI::Option* option = command.get_option_no_throw(std::string(word));
        if (option != nullptr && option->get_items_expected_max() > 0) ++at;  // the word behind it is its value
    }
    return "";
}

void refuse_empty_values(CLI::App& command) {
    const auto refuse = [](const std::string& given) -> std::string {
        return given.empty() ? "it is empty: write a value, or leave it out" : "";
    };
    for (CLI::Option* option : command.get_options()) {
        const bool told_by_command = option->get_positional() && option->get_required();
        if (option->get_items_expected_max() > 0 && !told_by_command) option->check(CLI::Validator(refuse, ""));
    }
}

}  // namespace lockstep::options
