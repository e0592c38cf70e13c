#include "cli/roff.hpp"

#include <algorithm>

namespace lockstep {

std::string roff_text(std::string_view text) {
    std::string out;
    bool at_start = true;
    bool is_quoted = false;
    for (const char c : text) {
        if (at_start && (c == '.' || c == '\'')) out += "\\&";
        if (c == '`') {
            is_quoted = !is_quoted;
            out += is_quoted ? "\\fB" : "\\fR";
        } else if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
        at_start = c == '\n';
    }
    return is_quoted ? out + "\\fR" : out;
}

namespace {

constexpr std::string_view kHead = "## ";
constexpr std::string_view kTerm = "- ";
constexpr std::string_view kShown = "    ";

std::string term(std::string_view line) {
    line.remove_prefix(kTerm.size());
    const std::size_t colon = std::min(line.find(": "), line.size());
    return ".TP\n\\fB" + roff_text(line.substr(0, colon)) + "\\fR\n" + roff_text(line.substr(std::min(colon + 2, line.size())));
}

}  // namespace

std::string roff_page(std::string_view lines) {
    std::string page;
    bool is_shown = false;
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(std::min(end + 1, lines.size()));
        if (line.starts_with(kShown) != is_shown) {
            is_shown = !is_shown;
            page += is_shown ? ".PP\n.EX\n" : ".EE\n";
        }
        if (is_shown) {
            page += roff_text(line) + "\n";
        } else if (line.starts_with(kHead)) {
            page += ".SH " + roff_text(line.substr(kHead.size())) + "\n";
        } else if (line.starts_with(kTerm)) {
            page += term(line) + "\n";
        } else {
            page += line.empty() ? std::string(".PP\n") : roff_text(line) + "\n";
        }
    }
    return page + (is_shown ? ".EE\n" : "");
}

}  // namespace lockstep
