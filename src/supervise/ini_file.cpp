#include "supervise/ini_file.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "sys/whole_file.hpp"

namespace lockstep {

namespace {

constexpr std::string_view kSpaces = " \t\n\v\f\r";

bool is_space(char c) { return kSpaces.find(c) != std::string_view::npos; }

std::string_view stripped(std::string_view text) { return trimmed(text, kSpaces); }

/// Where a comment begins: a whole line of it, or ';' or '#' behind a space, even inside quotes.
std::optional<std::size_t> comment_start(std::string_view line) {
    const std::string_view content = stripped(line);
    if (content.starts_with(';') || content.starts_with('#')) return 0;
    for (std::size_t i = 1; i < line.size(); ++i) {
        if ((line[i] == ';' || line[i] == '#') && is_space(line[i - 1])) return i;
    }
    return std::nullopt;
}

std::unexpected<Error> wrong(const std::string& path, int line, const std::string& what) {
    return fail(Failure::job_file, path + ":" + std::to_string(line) + ": " + what);
}

}  // namespace

Result<std::string> read_config_text(const std::string& path) {
    return read_whole_file(path, Failure::no_job_file, "reading " + printable(path, 4096));
}

const IniOption* IniSection::find(std::string_view name_of_option) const {
    const auto found = options.find(name_of_option);
    return found != options.end() ? &found->second : nullptr;
}

const IniSection* IniFile::find(std::string_view section) const {
    const auto found = std::ranges::find(sections_, section, &IniSection::name);
    return found != sections_.end() ? &*found : nullptr;
}

const IniOption* IniFile::find(std::string_view section, std::string_view option) const {
    for (const std::string_view name : {section, std::string_view("DEFAULT")}) {
        const IniSection* there = find(name);
        if (const IniOption* found = there != nullptr ? there->find(option) : nullptr) return found;
    }
    return nullptr;
}

IniSection& IniFile::section(const std::string& name, const ConfigPlace& place) {
    const auto found = std::ranges::find(sections_, name, &IniSection::name);
    if (found != sections_.end()) return *found;
    sections_.push_back({name, place, {}});
    return sections_.back();
}

Result<void> IniFile::read(const std::string& path) {
    const auto text = read_config_text(path);
    if (!text) return std::unexpected(text.error());
    return read_text(*text, path);
}

// Source: RawConfigParser._read() of Python 3.11, with the arguments that supervisor/options.py gives it.
Result<void> IniFile::read_text(std::string_view text, const std::string& path) {
    IniSection* current = nullptr;
    IniOption* option = nullptr;
    std::size_t indent = 0;
    int number = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        at = end + 1;
        ++number;
        const auto comment = comment_start(line);
        const std::string_view value = stripped(line.substr(0, comment.value_or(line.size())));
        if (value.empty()) continue;  // inside a value an empty line would be kept, and no value here has use for one
        const auto own_indent = static_cast<std::size_t>(std::ranges::find_if_not(line, is_space) - line.begin());
        if (option != nullptr && own_indent > indent) {
            option->value += "\n" + std::string(value);
            continue;
        }
        indent = own_indent;
        option = nullptr;
        if (value.starts_with('[') && value.rfind(']') != std::string_view::npos && value.rfind(']') > 1) {
            current = &section(std::string(value.substr(1, value.rfind(']') - 1)), {path, number});
            continue;
        }
        if (current == nullptr) return wrong(path, number, "stands before the first [section]");
        const std::size_t delimiter = value.find_first_of("=:");
        if (delimiter == std::string_view::npos || delimiter == 0)
            return wrong(path, number, "is neither a [section] nor NAME=VALUE: " + printable(value, 60));
        option = &current->options[lower_case(stripped(value.substr(0, delimiter)))];
        *option = {std::string(stripped(value.substr(delimiter + 1))), {path, number}};
    }
    return {};
}

void IniFile::expand_here(const std::string& directory) {
    for (IniSection& section : sections_) {
        for (auto& [name, option] : section.options) option.value = replaced(std::move(option.value), "%(here)s", directory);
    }
}

}  // namespace lockstep
