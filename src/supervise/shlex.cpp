#include "supervise/shlex.hpp"

namespace lockstep {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// One word from `at` on, up to a blank or one of `ends`; nullopt: it is not closed.
std::optional<std::string> word_at(std::string_view line, std::size_t& at, std::string_view ends) {
    std::string word;
    char quote = 0;
    for (; at < line.size(); ++at) {
        const char c = line[at];
        if (quote == 0 && (is_blank(c) || ends.find(c) != std::string_view::npos)) return word;
        if (quote == 0 && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == quote) {
            quote = 0;
        } else if (c == '\\' && quote != '\'') {
            if (++at == line.size()) return std::nullopt;
            // Inside double quotes a backslash escapes only itself and the quote.
            if (quote == '"' && line[at] != '"' && line[at] != '\\') word += '\\';
            word += line[at];
        } else {
            word += c;
        }
    }
    return quote == 0 ? std::optional(word) : std::nullopt;
}

}  // namespace

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool names_lockstep(std::string_view word) {
    const std::string_view name = base_name(word);
    return name == "lockstep" || name == "lockstep-job";
}

std::optional<std::vector<std::string>> shlex_split(std::string_view line) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < line.size();) {
        if (is_blank(line[at])) {
            ++at;
            continue;
        }
        auto word = word_at(line, at, "");
        if (!word) return std::nullopt;
        words.push_back(std::move(*word));
    }
    return words;
}

std::vector<std::pair<std::string, std::string>> key_values(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (std::size_t at = 0; at < text.size();) {
        if (is_blank(text[at]) || text[at] == ',') {
            ++at;
            continue;
        }
        auto key = word_at(text, at, "=,");
        if (!key || at >= text.size() || text[at] != '=') return pairs;
        ++at;
        auto value = word_at(text, at, ",");
        if (!value) return pairs;
        pairs.emplace_back(std::move(*key), std::move(*value));
    }
    return pairs;
}

}  // namespace lockstep
