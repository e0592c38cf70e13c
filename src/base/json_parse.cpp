// Parsing: nlohmann/json decides what is JSON; a cursor that walks the same text in step with its events finds what the
// library does not hand out: where each value stands and how each number was written. A number may be larger than any of its
// types.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace lockstep {

namespace {

constexpr std::size_t kDeepest = 200;

class TreeBuilder final : public nlohmann::json_sax<nlohmann::json> {
  public:
    /// The library skips a byte order mark, so the cursor does, too.
    explicit TreeBuilder(std::string_view text) : text_(text), cursor_(text.starts_with("\xEF\xBB\xBF") ? 3 : 0) {}

    bool null() override { return scalar({}, skip_word()); }
    bool boolean(bool value) override { return scalar(Json::of_boolean(value), skip_word()); }
    bool number_integer(number_integer_t) override { return number(); }
    bool number_unsigned(number_unsigned_t) override { return number(); }
    bool number_float(number_float_t, const string_t&) override { return number(); }
    bool string(string_t& value) override { return scalar(Json::of_string(std::move(value)), skip_string()); }
    bool binary(binary_t&) override { return false; }  // never in JSON text

    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& key) override {
        const std::size_t start = skip_string();
        key_ = std::move(key);
        key_offset_ = static_cast<std::uint32_t>(start);
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while parsing …"
        std::string_view what = error.what();
        if (const std::size_t colon = what.find(": "); colon != std::string_view::npos) what.remove_prefix(colon + 2);
        error_ = {std::string(what), position == 0 ? 0 : position - 1};
        constexpr int kNumberOverflow = 406;
        number_overflows_ = error.id == kNumberOverflow;
        return false;
    }

    Json root_;
    JsonSyntaxError error_;
    bool number_overflows_ = false;  // JSON it is all the same, but more than a double can hold

  private:
    std::size_t skip_to_token() {
        cursor_ = std::min(text_.find_first_not_of(" \t\r\n,:", cursor_), text_.size());
        return cursor_;
    }

    std::size_t skip_word() {
        const std::size_t start = skip_to_token();
        cursor_ = std::min(text_.find_first_of(" \t\r\n,:]}", start), text_.size());
        return start;
    }

    std::size_t skip_string() {
        const std::size_t start = skip_to_token();
        for (cursor_ = start + 1; cursor_ < text_.size() && text_[cursor_] != '"'; ++cursor_) {
            if (text_[cursor_] == '\\') ++cursor_;
        }
        ++cursor_;
        return start;
    }

    bool number() {
        const std::size_t start = skip_word();
        return scalar(Json::of_number_text(std::string(text_.substr(start, cursor_ - start))), start);
    }

    bool scalar(Json value, std::size_t start) {
        value.offset = static_cast<std::uint32_t>(start);
        place(std::move(value));
        return true;
    }

    bool open(Json value) {
        value.offset = static_cast<std::uint32_t>(skip_to_token());
        ++cursor_;
        if (open_.size() == kDeepest) {
            error_ = {"nested deeper than " + std::to_string(kDeepest) + " levels", value.offset};
            return false;
        }
        open_.push_back(place(std::move(value)));
        return true;
    }

    bool close() {
        skip_to_token();
        ++cursor_;
        open_.pop_back();
        return true;
    }

    /// Pointers on the stack stay valid: only the innermost open container ever grows.
    Json* place(Json value) {
        if (open_.empty()) return &(root_ = std::move(value));
        Json& parent = *open_.back();
        if (parent.is_array()) return &parent.elements.emplace_back(std::move(value));
        parent.members.push_back({std::move(key_), std::move(value), key_offset_});
        return &parent.members.back().value;
    }

    std::string_view text_;
    std::size_t cursor_;
    std::vector<Json*> open_;
    std::string key_;
    std::uint32_t key_offset_ = 0;
};

}  // namespace

namespace {

/// Of the number (RFC 8259 section 6) at the start of `text`; 0: there is none.
std::size_t number_length(std::string_view text) {
    const auto digits = [&](std::size_t at) { return std::min(text.find_first_not_of("0123456789", at), text.size()) - at; };
    const auto is_at = [&](std::size_t at, std::string_view any) {
        return at < text.size() && any.find(text[at]) != std::string_view::npos;
    };
    std::size_t at = is_at(0, "-") ? 1 : 0;
    if (digits(at) == 0) return 0;
    at += is_at(at, "0") ? 1 : digits(at);
    if (is_at(at, ".") && digits(at + 1) > 0) at += 1 + digits(at + 1);
    if (!is_at(at, "eE")) return at;
    const std::size_t exponent = at + (is_at(at + 1, "+-") ? 2 : 1);
    return digits(exponent) > 0 ? exponent + digits(exponent) : at;
}

/// The same text, each number in it made 0 (or -0), with blanks for what it was longer: the same JSON but for its numbers'
/// size, every other character at its place, and what was no JSON still none.
std::string with_small_numbers(std::string_view text) {
    std::string small(text);
    std::size_t at = 0;
    while (at < text.size()) {
        if (text[at] == '"') {
            for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\' ? 1 : 0;
            ++at;
            continue;
        }
        const std::size_t length = number_length(text.substr(at));
        if (length > 0) {
            const std::size_t sign = text[at] == '-' ? 1 : 0;
            std::fill_n(small.begin() + static_cast<std::ptrdiff_t>(at + sign), length - sign, ' ');
            small[at + sign] = '0';
        }
        at += std::max<std::size_t>(length, 1);
    }
    return small;
}

}  // namespace

std::expected<Json, JsonSyntaxError> parse_json(std::string_view text) {
    TreeBuilder builder(text);
    bool parsed = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
    if (builder.number_overflows_) {
        builder = TreeBuilder(text);
        parsed = nlohmann::json::sax_parse(with_small_numbers(text), &builder);
    }
    // The library takes a NUL between tokens for the end of the text: what stands behind it would be dropped unseen.
    const std::size_t nul = text.find('\0');
    if (nul != std::string_view::npos && (parsed || builder.error_.offset >= nul)) {
        return std::unexpected(JsonSyntaxError{"there is a NUL byte in it", nul});
    }
    if (parsed) return std::move(builder.root_);
    if (builder.error_.what.empty()) builder.error_.what = "not JSON";
    return std::unexpected(std::move(builder.error_));
}

namespace {

void append_string(std::string& out, const std::string& text) {
    // Printable ASCII goes as it is, all but the two that are always escaped: a journalled body is full of them.
    const std::size_t start = out.size();
    out += '"';
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte >= 0x7F) {
            out.resize(start);
            out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
            return;
        }
        if (byte != '"' && byte != '\\') continue;
        out.append(text, copied, i - copied);
        out += '\\';
        copied = i;
    }
    out.append(text, copied).append(1, '"');
}

}  // namespace

void append_text(std::string& out, const Json& value) {
    switch (value.type) {
        case Json::Type::null: out += "null"; return;
        case Json::Type::boolean: out += value.boolean ? "true" : "false"; return;
        case Json::Type::number: out += value.text; return;
        case Json::Type::string: append_string(out, value.text); return;
        case Json::Type::array: {
            out += '[';
            for (std::size_t i = 0; i < value.elements.size(); ++i) {
                if (i != 0) out += ',';
                append_text(out, value.elements[i]);
            }
            out += ']';
            return;
        }
        case Json::Type::object: {
            out += '{';
            for (std::size_t i = 0; i < value.members.size(); ++i) {
                if (i != 0) out += ',';
                append_string(out, value.members[i].key);
                out += ':';
                append_text(out, value.members[i].value);
            }
            out += '}';
            return;
        }
    }
}

std::string to_text(const Json& value) {
    std::string out;
    append_text(out, value);
    return out;
}

std::string to_plain_text(const Json& value) { return value.is_string() ? value.text : to_text(value); }

}  // namespace lockstep
