#include "convert/crontab_line.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace lockstep {

namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kDigits = "0123456789";

bool only_of(std::string_view text, std::string_view set1, std::string_view set2, std::string_view set3) {
    return std::ranges::all_of(text, [&](char c) {
        return set1.find(c) != std::string_view::npos || set2.find(c) != std::string_view::npos ||
               set3.find(c) != std::string_view::npos;
    });
}

bool is_quoted(std::string_view text) {
    return text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
}

std::string_view unquoted(std::string_view text) { return is_quoted(text) ? text.substr(1, text.size() - 2) : text; }

bool read_variable(CrontabLine& parts, std::string_view line) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view name = unquoted(trimmed(line.substr(0, equals), kBlanks));
    if (name.empty() || !only_of(name, kLetters, kDigits, "_") || kDigits.find(name.front()) != std::string_view::npos)
        return false;
    parts.kind = CrontabLine::Kind::variable;
    parts.name = name;
    parts.value = unquoted(trimmed(line.substr(equals + 1), kBlanks));
    return true;
}

bool is_name_of_a_time(std::string_view word) {
    constexpr std::array<std::string_view, 19> kNames = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct",
                                                         "nov", "dec", "sun", "mon", "tue", "wed", "thu", "fri", "sat"};
    return std::ranges::any_of(kNames, [&](std::string_view name) {
        return std::ranges::equal(name, word, {}, {}, [](char c) { return static_cast<char>(c | 0x20); });
    });
}

/// A number, a range, a list, a step, a month's or a day's name. What it means is cron's business.
bool is_time_field(std::string_view field) {
    if (field.empty() || !only_of(field, kLetters, kDigits, "*,/-~")) return false;
    for (std::size_t at = field.find_first_of(kLetters); at != std::string_view::npos; at = field.find_first_of(kLetters, at)) {
        const std::size_t end = std::min(field.find_first_not_of(kLetters, at), field.size());
        if (!is_name_of_a_time(field.substr(at, end - at))) return false;
        at = end;
    }
    return true;
}

/// Skips a word and the blanks behind it. @return the word
std::string_view next_field(std::string_view line, std::size_t& at) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    const std::string_view field = line.substr(at, end - at);
    at = std::min(line.find_first_not_of(kBlanks, end), line.size());
    return field;
}

}  // namespace

CrontabLine read_crontab_line(std::string_view line, CrontabKind kind) {
    CrontabLine parts;
    std::size_t at = std::min(line.find_first_not_of(kBlanks), line.size());
    if (at == line.size() || line[at] == '#') return parts;
    if (kind == CrontabKind::none) {
        parts.kind = CrontabLine::Kind::entry;
        parts.when = line.substr(0, at);
        parts.command = line.substr(at);
        return parts;
    }
    if (read_variable(parts, line)) return parts;
    parts.kind = CrontabLine::Kind::wrong;
    if (line[at] == '@') {
        if (!only_of(next_field(line, at).substr(1), kLetters, kDigits, "_")) return parts;
    } else {
        for (int field = 0; field < 5; ++field) {
            if (!is_time_field(next_field(line, at))) return parts;
        }
    }
    if (kind == CrontabKind::system) next_field(line, at);
    if (at == line.size()) return parts;
    parts.kind = CrontabLine::Kind::entry;
    parts.when = line.substr(0, at);
    std::size_t end = at;
    while (end < line.size() && line[end] != '%') end += line[end] == '\\' ? 2 : 1;
    end = std::min(end, line.size());
    parts.command = line.substr(at, end - at);
    parts.input = line.substr(end);
    return parts;
}

}  // namespace lockstep
