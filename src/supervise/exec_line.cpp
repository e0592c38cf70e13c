#include "supervise/exec_line.hpp"

#include <algorithm>
#include <charconv>

namespace lockstep {

namespace {

constexpr std::string_view kBlanks = " \t";

std::optional<std::string> specifier(char c, const std::string& unit) {
    std::string stem = unit.substr(0, unit.rfind('.'));
    const std::size_t at = stem.find('@');
    switch (c) {
        case '%': return "%";
        case 'n': return unit;
        case 'N': return stem;
        case 'p': return stem.substr(0, at);
        case 'i':
            if (stem.ends_with('@')) return std::nullopt;  // a template, of which each instance has its own
            return at != std::string::npos ? stem.substr(at + 1) : "";
        default: return std::nullopt;
    }
}

/// \x61 or \141: `digits` of that base behind `at`, which moves to the last of them.
std::optional<char> numbered(std::string_view line, std::size_t& at, std::size_t first, std::size_t digits, int base) {
    if (first + digits > line.size()) return std::nullopt;
    unsigned int value = 0;
    const char* end = line.data() + first + digits;
    const auto [stopped, error] = std::from_chars(line.data() + first, end, value, base);
    if (error != std::errc{} || stopped != end || value == 0 || value > 0xFF) return std::nullopt;
    at = first + digits - 1;
    return static_cast<char>(value);
}

/// What a backslash and the character at `at` behind it are.
char unescaped(std::string_view line, std::size_t& at) {
    const char c = line[at];
    if (const auto hex = c == 'x' ? numbered(line, at, at + 1, 2, 16) : std::nullopt) return *hex;
    if (const auto octal = c >= '0' && c <= '3' ? numbered(line, at, at, 3, 8) : std::nullopt) return *octal;
    constexpr std::string_view kLetters = "abfnrtvs";
    constexpr std::string_view kMeant = "\a\b\f\n\r\t\v ";
    const std::size_t letter = kLetters.find(c);
    return letter != std::string_view::npos ? kMeant[letter] : c;
}

/// Quotes, backslashes and, of a unit that is named, specifiers, as they are read with it.
std::vector<std::string> words_of(std::string_view line, const std::string& unit) {
    std::vector<std::string> words;
    std::optional<std::string> word;
    char quote = 0;
    for (std::size_t at = 0; at < line.size(); ++at) {
        const char c = line[at];
        const bool more = at + 1 < line.size();
        if (quote == 0 && kBlanks.contains(c)) {
            if (word) words.push_back(std::move(*word));
            word.reset();
            continue;
        }
        if (!word) word.emplace();
        if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == quote) {
            quote = 0;
        } else if (c == '\\' && more) {
            *word += unescaped(line, ++at);
        } else if (c == '%' && more && !unit.empty()) {
            ++at;
            *word += specifier(line[at], unit).value_or(std::string(line.substr(at - 1, 2)));
        } else {
            *word += c;
        }
    }
    if (word) words.push_back(std::move(*word));
    return words;
}

/// ${NAME} anywhere in a word, and `$$`.
std::string with_variables(std::string_view word, const UnitVariables& variables) {
    std::string out;
    for (std::size_t at = 0; at < word.size(); ++at) {
        const std::string_view rest = word.substr(at);
        const std::size_t close = rest.starts_with("${") ? rest.find('}') : std::string_view::npos;
        const auto known = close != std::string_view::npos ? variables.find(rest.substr(2, close - 2)) : variables.end();
        if (known != variables.end()) {
            out += known->second;
            at += close;
        } else {
            out += word[at];
            if (rest.starts_with("$$")) ++at;
        }
    }
    return out;
}

/// The value of $NAME, which as a word of its own stands for as many words as it has.
void add_words_of(const std::string& value, std::vector<std::string>& words) {
    for (std::size_t at = 0; (at = value.find_first_not_of(kBlanks, at)) != std::string::npos;) {
        const std::size_t end = std::min(value.find_first_of(kBlanks, at), value.size());
        words.push_back(value.substr(at, end - at));
        at = end;
    }
}

std::size_t signs_before(std::string_view line) { return std::min(line.find_first_not_of("@-:+!"), line.size()); }

}  // namespace

UnitVariables unit_variables(const UnitFiles& files) {
    UnitVariables variables;
    for (const UnitAssignment& one : files.assignments) {
        if (one.section != "Service") continue;
        if (one.key == "EnvironmentFile" || one.key == "UnsetEnvironment") return {};
        if (one.key != "Environment") continue;
        if (one.value.empty()) variables.clear();
        for (const std::string& word : words_of(one.value, files.name)) {
            if (const std::size_t equals = word.find('='); equals != std::string::npos)
                variables[word.substr(0, equals)] = word.substr(equals + 1);
        }
    }
    return variables;
}

std::vector<std::string> exec_words(std::string_view line, const std::string& unit, const UnitVariables& variables) {
    const std::size_t signs = signs_before(line);
    const bool expands = !line.substr(0, signs).contains(':');
    line.remove_prefix(signs);
    std::vector<std::string> written = words_of(line, unit);
    if (!expands) return written;
    std::vector<std::string> words;
    for (const std::string& word : written) {
        const bool whole = word.starts_with('$') && !word.starts_with("$$");
        const auto variable = whole ? variables.find(std::string_view(word).substr(1)) : variables.end();
        if (words.empty()) {
            words.push_back(with_variables(word, {}));  // the program's own path is not expanded
        } else if (variable != variables.end()) {
            add_words_of(variable->second, words);
        } else {
            words.push_back(with_variables(word, variables));
        }
    }
    return words;
}

WrittenExec written_exec(std::string_view line) {
    const std::size_t signs = signs_before(line);
    return {std::string(line.substr(0, signs)), words_of(line.substr(signs), "")};
}

std::optional<std::string> with_specifiers(std::string_view text, const std::string& unit) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool special = text[at] == '%' && at + 1 < text.size();
        const auto value = special ? specifier(text[++at], unit) : std::string(1, text[at]);
        if (!value) return std::nullopt;
        out += *value;
    }
    return out;
}

}  // namespace lockstep
