#include "job/findings.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace lockstep {

namespace {

std::string pointer_token(std::string_view key) {
    std::string out;
    for (const char c : key) {
        if (c == '~') {
            out += "~0";
        } else if (c == '/') {
            out += "~1";
        } else {
            out += c;
        }
    }
    return out;
}

unsigned hex_value(std::string_view digits) {
    unsigned value = 0;
    for (const char c : digits) {
        const char low = static_cast<char>(c | 0x20);
        value = value * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : low - 'a' + 10);
    }
    return value;
}

/// One character of a JSON string as written: bytes in the file, bytes in the value.
struct WrittenChar {
    std::size_t in_file = 1;
    std::size_t in_value = 1;
};

WrittenChar written_char(std::string_view text) {
    if (!text.starts_with('\\')) return {};
    if (!text.starts_with("\\u") || text.size() < 6) return {2, 1};
    const unsigned unit = hex_value(text.substr(2, 4));
    if (unit >= 0xD800 && unit < 0xDC00) return {12, 4};
    return {6, unit < 0x80 ? 1U : unit < 0x800 ? 2U : 3U};
}

}  // namespace

Place Place::member(const JsonMember& member) const { return {&member.value, pointer + "/" + pointer_token(member.key)}; }

Place Place::element(std::size_t index) const { return {&json->elements[index], pointer + "/" + std::to_string(index)}; }

std::string in_quotes(std::string_view text) { return '"' + printable(text, 80) + '"'; }

std::string suggestion(std::string_view word, const std::vector<std::string_view>& candidates, std::string_view or_else) {
    if (const std::string_view meant = closest_match(word, candidates); !meant.empty())
        return "did you mean " + in_quotes(meant) + "?";
    if (!or_else.empty()) return std::string(or_else);
    if (candidates.empty()) return "";
    std::string out = candidates.size() == 1 ? "use " : "use one of ";
    for (std::size_t i = 0; i < candidates.size(); ++i) out += (i == 0 ? "" : ", ") + std::string(candidates[i]);
    return out;
}

void Findings::add(const Place& at, std::string what, std::string advice) {
    add_at(at.json->offset, at.pointer, std::move(what), std::move(advice));
}

void Findings::add_at(std::size_t offset, std::string pointer, std::string what, std::string advice) {
    const SourcePosition position = position_at(text_, offset);
    items_.push_back({offset, {position.line, position.column, std::move(pointer), std::move(what), std::move(advice)}});
}

void Findings::add_in_string(const Place& at, std::size_t offset_in_value, std::string what, std::string advice) {
    std::size_t offset = at.json->offset + 1;  // behind the quote
    for (std::size_t seen = 0; seen < offset_in_value && offset < text_.size();) {
        const WrittenChar next = written_char(text_.substr(offset));
        offset += next.in_file;
        seen += next.in_value;
    }
    add_at(offset, at.pointer, std::move(what), std::move(advice));
}

void Findings::add_general(std::string what, std::string advice) {
    items_.push_back({text_.size(), {0, 0, "", std::move(what), std::move(advice)}});
}

std::vector<Finding> Findings::sorted() const {
    std::vector<Item> items = items_;
    std::ranges::stable_sort(items, {}, &Item::offset);
    std::vector<Finding> out;
    for (Item& item : items) {
        const auto same = [&](const Finding& other) {
            return other.line == item.finding.line && other.column == item.finding.column &&
                   other.pointer == item.finding.pointer && other.what == item.finding.what;
        };
        if (std::ranges::none_of(out, same)) out.push_back(std::move(item.finding));
    }
    return out;
}

std::string to_text(const Finding& finding, std::string_view file) {
    std::string out(file);
    if (finding.line != 0) out += ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column);
    out += ": ";
    if (!finding.pointer.empty()) out += printable(finding.pointer, 300) + ": ";
    out += finding.what;
    if (!finding.advice.empty()) out += "; " + finding.advice;
    return out;
}

}  // namespace lockstep
