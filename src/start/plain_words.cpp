#include "start/plain_words.hpp"

#include <string_view>

namespace lockstep::start {

namespace {

bool are_digits(std::string_view text, std::size_t at_most) {
    if (text.empty() || text.size() > at_most) return false;
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
    }
    return true;
}

/// One to three digits and a unit: far below the longest duration that is accepted.
bool is_plain_duration(std::string_view text) {
    if (text == "forever" || text == "0") return true;
    for (const std::string_view unit : {"ms", "s", "m", "h", "d"}) {
        if (text.ends_with(unit) && are_digits(text.substr(0, text.size() - unit.size()), 3)) return true;
    }
    return false;
}

/// None of these decides anything here: they are read again by the program, should they matter.
bool is_plain_value(std::string_view option, std::string_view value) {
    if (option == "-E" || option == "--busy-status") return are_digits(value, 2);
    return (option == "-w" || option == "--wait" || option == "--grace") && is_plain_duration(value);
}

}  // namespace

PlainWords plain_words(int argc, char** argv) {
    if (argc < 4 || std::string_view(argv[1]) != "exec") return {};
    int next = 2;
    while (next < argc && argv[next][0] == '-') {
        const std::string_view word = argv[next++];
        if (word == "-q" || word == "--quiet") continue;
        const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
        if (equals == std::string_view::npos && next >= argc) return {};
        const std::string_view value = equals != std::string_view::npos ? word.substr(equals + 1) : argv[next++];
        if (!is_plain_value(word.substr(0, equals), value)) return {};
    }
    if (next >= argc || argv[next][0] == '\0') return {};
    const char* lock = argv[next++];
    if (next < argc && std::string_view(argv[next]) == "--") {
        ++next;
    } else if (next < argc && argv[next][0] == '-') {
        return {};  // -c
    }
    return next < argc ? PlainWords{lock, argv + next} : PlainWords{};
}

}  // namespace lockstep::start
