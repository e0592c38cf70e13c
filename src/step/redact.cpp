#include "step/redact.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace lockstep {

namespace {

/// What stands at the start of a text, read as one form of writing: how long it is there, and the bytes that it means.
struct Piece {
    std::size_t length;
    std::string bytes;
};

using Reader = Piece (*)(std::string_view rest, char wanted);

Piece as_it_is(std::string_view rest, char) { return {1, std::string(1, rest.front())}; }

std::optional<unsigned> hex(std::string_view digits) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return error == std::errc() && end == digits.data() + digits.size() ? std::optional(value) : std::nullopt;
}

/// The unit of a \uXXXX at the start.
std::optional<unsigned> utf16_unit(std::string_view rest) {
    if (rest.size() < 6 || !rest.starts_with("\\u")) return std::nullopt;
    return hex(rest.substr(2, 4));
}

std::string utf8(unsigned point) {
    const auto tail = [&](unsigned shift) { return static_cast<char>(0x80U | ((point >> shift) & 0x3FU)); };
    if (point < 0x80) return {static_cast<char>(point)};
    if (point < 0x800) return {static_cast<char>(0xC0U | (point >> 6U)), tail(0)};
    if (point < 0x10000) return {static_cast<char>(0xE0U | (point >> 12U)), tail(6), tail(0)};
    return {static_cast<char>(0xF0U | (point >> 18U)), tail(12), tail(6), tail(0)};
}

/// RFC 8259 section 7; a character beyond U+FFFF is a pair of units.
Piece json_escaped(std::string_view rest, char wanted) {
    if (const auto unit = utf16_unit(rest)) {
        const auto low = utf16_unit(rest.substr(6));
        const bool is_pair = *unit >= 0xD800 && *unit < 0xDC00 && low && *low >= 0xDC00 && *low < 0xE000;
        if (!is_pair) return {6, utf8(*unit)};
        return {12, utf8(0x10000 + ((*unit - 0xD800) << 10U) + (*low - 0xDC00))};
    }
    constexpr std::string_view kEscaped = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (rest.size() < 2 || rest.front() != '\\') return as_it_is(rest, wanted);
    const std::size_t which = kEscaped.find(rest[1]);
    return which == std::string_view::npos ? as_it_is(rest, wanted) : Piece{2, std::string(1, kMeant[which])};
}

/// RFC 3986 section 2.1, and '+' for a blank, as forms have it.
Piece percent_encoded(std::string_view rest, char wanted) {
    if (rest.front() == '+' && wanted == ' ') return {1, " "};
    const auto byte = rest.size() >= 3 && rest.front() == '%' ? hex(rest.substr(1, 2)) : std::nullopt;
    return byte ? Piece{3, std::string(1, static_cast<char>(*byte))} : as_it_is(rest, wanted);
}

/// How much of the start of `text` says `value` in this form; 0: it does not.
std::size_t length_of(std::string_view value, std::string_view text, Reader read) {
    std::size_t at = 0;
    while (!value.empty()) {
        if (at == text.size()) return 0;
        const Piece piece = read(text.substr(at), value.front());
        if (!value.starts_with(piece.bytes)) return 0;
        value.remove_prefix(piece.bytes.size());
        at += piece.length;
    }
    return at;
}

std::size_t length_in_any_form(std::string_view value, std::string_view text) {
    for (const Reader read : {as_it_is, json_escaped, percent_encoded}) {
        if (const std::size_t length = length_of(value, text, read); length > 0) return length;
    }
    return 0;
}

std::string without(std::string_view value, const std::string& text) {
    const std::string beginnings = {value.front(), '\\', '%', '+'};
    std::string out;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t next = std::min(text.find_first_of(beginnings, at), text.size());
        out.append(text, at, next - at);
        if (next == text.size()) break;
        const std::size_t length = length_in_any_form(value, std::string_view(text).substr(next));
        out += length > 0 ? std::string_view("***") : std::string_view(text).substr(next, 1);
        at = next + std::max<std::size_t>(length, 1);
    }
    return out;
}

}  // namespace

void Redactor::add(const std::string& value) {
    if (std::ranges::find(values_, value) != values_.end()) return;
    const auto longer = [&](const std::string& other) { return other.size() > value.size(); };
    values_.insert(std::ranges::partition_point(values_, longer), value);
}

std::string Redactor::redact(std::string text) const {
    constexpr std::size_t kShortestHidden = 4;  // a shorter one would blot out half of every text, and is guessed anyway
    for (const std::string& value : values_) {
        if (value.size() >= kShortestHidden) text = without(value, text);
    }
    return text;
}

}  // namespace lockstep
