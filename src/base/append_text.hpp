#pragma once
// printable() and shell_quoted() of text.hpp, appended to whatever text the caller has: a std::string or a TextBuffer.

#include <cstddef>
#include <string_view>

namespace lockstep {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Length of the valid UTF-8 sequence (RFC 3629: no overlong forms, no surrogates) at the start of `text`, or 0.
std::size_t utf8_length(std::string_view text);

/// What makes a terminal show another text than is there. U+0080 to U+009F: some take them for the beginning of an escape
/// sequence. U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: they turn the direction of what follows (Unicode Annex 9).
inline bool misleads(std::string_view text) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    if (byte(0) == 0xC2) return byte(1) < 0xA0;
    if (byte(0) != 0xE2) return false;
    const unsigned third = byte(2);
    if (byte(1) == 0x80) return third == 0x8E || third == 0x8F || (third >= 0xAA && third <= 0xAE);
    return byte(1) == 0x81 && third >= 0xA6 && third <= 0xA9;
}

/// `\xHH`
template <class Text>
void append_hex_escape(Text& out, unsigned char byte) {
    out.append("\\x");
    out += kHexDigits[byte >> 4U];
    out += kHexDigits[byte & 15U];
}

template <class Text>
void append_printable(Text& out, std::string_view text, std::size_t limit) {
    const std::size_t start = out.size();
    while (!text.empty()) {
        if (out.size() - start >= limit) {
            out.append("…");
            return;
        }
        const std::size_t length = utf8_length(text);
        const auto c = static_cast<unsigned char>(text.front());
        const bool whole_character = length > 1 && !misleads(text);
        if (whole_character || (length == 1 && c >= 0x20 && c != 0x7F)) {
            out.append(text.substr(0, length));
        } else if (c == '\n') {
            out.append("\\n");
        } else if (c == '\t') {
            out.append("\\t");
        } else if (c == '\r') {
            out.append("\\r");
        } else {
            append_hex_escape(out, c);
        }
        text.remove_prefix(whole_character ? length : 1);
    }
}

template <class Text>
void append_shell_quoted(Text& out, std::string_view text) {
    constexpr std::string_view kSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
    if (!text.empty() && text.find_first_not_of(kSafe) == std::string_view::npos) {
        out.append(text);
        return;
    }
    out += '\'';
    for (const char c : text) {
        if (c == '\'') {
            out.append("'\\''");
        } else {
            out += c;
        }
    }
    out += '\'';
}

}  // namespace lockstep
