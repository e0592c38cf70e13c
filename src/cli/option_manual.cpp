// What an option's value can be, read from how it is shown.

#include <algorithm>
#include <string_view>

#include "cli/manual.hpp"

namespace lockstep {

namespace {

bool is_literal(std::string_view word) {
    return !word.empty() &&
           std::ranges::all_of(word, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

std::vector<std::string> OptionManual::words() const {
    std::vector<std::string> words;
    for (std::size_t at = 0; at <= value.size();) {
        const std::size_t end = std::min(value.find('|', at), value.size());
        if (const std::string word = value.substr(at, end - at); is_literal(word)) words.push_back(word);
        at = end + 1;
    }
    return words;
}

bool OptionManual::is_repeated() const { return value.ends_with("…"); }
bool OptionManual::is_directory() const { return value == "DIR"; }
bool OptionManual::is_lock() const { return value == "NAME|PATH"; }
bool OptionManual::is_file() const {
    constexpr std::string_view kFiles[] = {"JOB.json", "JOB.json…", "JOB",  "PATH",  "NAME|PATH",
                                           "FILE",     "CONF",      "UNIT", "FILE|-"};
    return std::ranges::find(kFiles, value) != std::end(kFiles);
}

}  // namespace lockstep
