#include "lock/record_text.hpp"

#include <algorithm>
#include <type_traits>

#include "base/append_text.hpp"

namespace lockstep {

namespace {

constexpr std::string_view kCheck = "check ";
constexpr std::size_t kCheckLine = kCheck.size() + 16 + 1;
constexpr std::size_t kAll = kLongestRecord - kCheckLine;

/// FNV-1a, 64 bit.
std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return hash;
}

TextBuffer<kCheckLine> check_line(std::string_view text) {
    TextBuffer<kCheckLine> line;
    line.append(kCheck);
    const std::uint64_t hash = fnv1a(text);
    for (unsigned shift = 64; shift > 0; shift -= 4) line += kHexDigits[(hash >> (shift - 4)) & 15U];
    line += '\n';
    return line;
}

bool is_plain(unsigned char c) { return c >= 0x20 && c != 0x7F && c != '\\'; }

/// Appends `name value\n`, the value cut so that the whole text stays within `limit`; empty values are left out.
void append_line(RecordText& out, std::string_view name, std::string_view value, std::size_t limit) {
    if (value.empty() || out.size() + name.size() + 2 > limit) return;
    const std::size_t end = limit - 1;
    out.append(name) += ' ';
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (out.size() + (is_plain(byte) ? 1 : 4) > end) break;
        if (is_plain(byte)) {
            out += c;
        } else {
            append_hex_escape(out, byte);
        }
    }
    out += '\n';
}

void append_line(RecordText& out, std::string_view name, std::integral auto value) {
    if (value == 0) return;
    TextBuffer<24> digits;
    append_line(out, name, digits.append(+value), kAll);
}

}  // namespace

void append_record(RecordText& out, const RecordFields& fields) {
    const auto append = [&](std::string_view name, std::size_t room, const auto& value) {
        if constexpr (std::is_same_v<decltype(value), const std::string_view&>) {
            append_line(out, name, value, std::min(kAll, out.size() + room));
        } else {
            append_line(out, name, value);
        }
    };
    for_each_field(append, fields);
    out.append(check_line(out));
}

bool is_passed_on(std::string_view text) { return text.find("\npassed_on 1\n") != std::string_view::npos; }

bool is_whole_record(std::string_view text) {
    const std::size_t last = text.find_last_not_of('\n');
    if (last == std::string_view::npos || last + 2 < kCheckLine || last + 1 == text.size()) return false;
    const std::size_t start = last + 2 - kCheckLine;
    return text.substr(start, kCheckLine) == check_line(text.substr(0, start)).view();
}

}  // namespace lockstep
