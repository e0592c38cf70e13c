#include "supervise/expansion.hpp"

#include <charconv>

namespace lockstep {

namespace {

/// The value in the width that stands between the ')' and the conversion: "02" of %(process_num)02d.
std::optional<std::string> formatted(const std::string& value, std::string_view flags, char conversion) {
    const bool number = conversion == 'd' || conversion == 'i';
    if (!number && conversion != 's') return std::nullopt;
    const bool zeros = flags.starts_with('0');
    const bool left = flags.starts_with('-');
    if (zeros || left) flags.remove_prefix(1);
    std::size_t width = 0;
    const auto [end, error] = std::from_chars(flags.data(), flags.data() + flags.size(), width);
    if (!flags.empty() && (error != std::errc{} || end != flags.data() + flags.size() || width > 1000)) return std::nullopt;
    if (number && value.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    if (value.size() >= width) return value;
    const std::string padding(width - value.size(), zeros && number ? '0' : ' ');
    return left ? value + padding : padding + value;
}

}  // namespace

std::optional<std::string> expand_percent(std::string_view text,
                                          const std::function<std::optional<std::string>(const std::string& name)>& value_of) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at];
            continue;
        }
        if (text.substr(at).starts_with("%%")) {
            out += '%';
            ++at;
            continue;
        }
        const std::size_t close = text.find(')', at);
        if (!text.substr(at).starts_with("%(") || close == std::string_view::npos) return std::nullopt;
        const std::size_t conversion = text.find_first_not_of("-0123456789", close + 1);
        if (conversion == std::string_view::npos) return std::nullopt;
        const auto value = value_of(std::string(text.substr(at + 2, close - at - 2)));
        if (!value) return std::nullopt;
        const auto shown = formatted(*value, text.substr(close + 1, conversion - close - 1), text[conversion]);
        if (!shown) return std::nullopt;
        out += *shown;
        at = conversion;
    }
    return out;
}

bool has_stray_percent(std::string_view text) {
    for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
        const std::string_view rest = text.substr(at + 1);
        if (!rest.starts_with('(') && !rest.starts_with('%')) return true;
        if (rest.starts_with('%')) ++at;
    }
    return false;
}

}  // namespace lockstep
