#include "base/json.hpp"

#include <charconv>
#include <cstdlib>

#include "base/clock.hpp"

namespace lockstep {

// Out of line, because JsonMember is incomplete inside Json.
Json::Json() = default;
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

Json Json::of_string(std::string value) {
    Json json;
    json.type = Type::string;
    json.text = std::move(value);
    return json;
}

Json Json::of_number(std::int64_t value) { return of_number_text(std::to_string(value)); }

Json Json::of_number_text(std::string source) {
    Json json;
    json.type = Type::number;
    json.text = std::move(source);
    return json;
}

Json Json::of_boolean(bool value) {
    Json json;
    json.type = Type::boolean;
    json.boolean = value;
    return json;
}

Json Json::of_strings(const std::vector<std::string>& values) {
    Json json = array();
    for (const std::string& value : values) json.push(of_string(value));
    return json;
}

Json Json::of_time(std::int64_t wall_ms) { return wall_ms > 0 ? of_string(format_utc(wall_ms)) : Json(); }

Json Json::object() {
    Json json;
    json.type = Type::object;
    return json;
}

Json Json::array() {
    Json json;
    json.type = Type::array;
    return json;
}

const Json* Json::find(std::string_view key) const {
    for (auto member = members.rbegin(); member != members.rend(); ++member) {
        if (member->key == key) return &member->value;
    }
    return nullptr;
}

Json& Json::set(std::string_view key, Json value) {
    type = Type::object;
    for (JsonMember& member : members) {
        if (member.key == key) return member.value = std::move(value);
    }
    members.push_back({std::string(key), std::move(value)});
    return members.back().value;
}

Json& Json::push(Json value) {
    type = Type::array;
    elements.push_back(std::move(value));
    return elements.back();
}

namespace {

const Json* element_at(const Json& array, std::string_view token) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    const bool canonical = error == std::errc{} && end == token.data() + token.size() && (token.size() == 1 || token[0] != '0');
    return canonical && index < array.elements.size() ? &array.elements[index] : nullptr;
}

std::string unescape_token(std::string_view token) {
    std::string out;
    for (std::size_t i = 0; i < token.size(); ++i) {
        if (token[i] == '~' && i + 1 < token.size()) {
            ++i;
            out += token[i] == '1' ? '/' : '~';
        } else {
            out += token[i];
        }
    }
    return out;
}

}  // namespace

const Json* at_pointer(const Json& root, std::string_view pointer) {
    const Json* value = &root;
    while (value != nullptr && !pointer.empty()) {
        if (pointer.front() != '/') return nullptr;
        pointer.remove_prefix(1);
        const std::string_view token = pointer.substr(0, pointer.find('/'));
        pointer.remove_prefix(token.size());
        value = value->is_array() ? element_at(*value, token) : value->find(unescape_token(token));
    }
    return value;
}

bool equal(const Json& a, const Json& b) {
    if (a.type != b.type) return false;
    switch (a.type) {
        case Json::Type::null: return true;
        case Json::Type::boolean: return a.boolean == b.boolean;
        case Json::Type::number: return compare_numbers(a.text, b.text) == 0;
        case Json::Type::string: return a.text == b.text;
        case Json::Type::array: break;
        case Json::Type::object: {
            if (a.members.size() != b.members.size()) return false;
            for (const JsonMember& member : a.members) {
                const Json* other = b.find(member.key);
                if (other == nullptr || !equal(member.value, *other)) return false;
            }
            return true;
        }
    }
    if (a.elements.size() != b.elements.size()) return false;
    for (std::size_t i = 0; i < a.elements.size(); ++i) {
        if (!equal(a.elements[i], b.elements[i])) return false;
    }
    return true;
}

namespace {

bool is_integer(std::string_view number) { return number.find_first_not_of("-0123456789") == std::string_view::npos; }

/// JSON integers have no leading zeros, so the longer one is the larger one.
int compare_integers(std::string_view a, std::string_view b) {
    if (a == "-0") a = "0";
    if (b == "-0") b = "0";
    const bool a_negative = a.starts_with('-');
    const bool b_negative = b.starts_with('-');
    if (a_negative != b_negative) return a_negative ? -1 : 1;
    const int magnitude = a.size() != b.size() ? (a.size() < b.size() ? -1 : 1) : a.compare(b);
    return a_negative ? -magnitude : magnitude;
}

}  // namespace

int compare_numbers(std::string_view a, std::string_view b) {
    if (is_integer(a) && is_integer(b)) return compare_integers(a, b);
    const long double x = std::strtold(std::string(a).c_str(), nullptr);
    const long double y = std::strtold(std::string(b).c_str(), nullptr);
    return x < y ? -1 : x > y ? 1 : 0;
}

SourcePosition position_at(std::string_view text, std::size_t offset) {
    SourcePosition position;
    for (const char c : text.substr(0, offset)) {
        if (c == '\n') {
            ++position.line;
            position.column = 1;
        } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {  // not a UTF-8 continuation byte
            ++position.column;
        }
    }
    return position;
}

}  // namespace lockstep
