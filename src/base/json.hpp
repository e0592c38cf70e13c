#pragma once
// JSON as lockstep needs it: numbers keep their source text (an amount of 1.10 is sent on as 1.10), members keep their
// order, and every value knows where in its source it stands. The grammar itself is checked by nlohmann/json (RFC 8259).

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace lockstep {

struct JsonMember;

/// One JSON value. A plain tree: look at `type`, then at the one field that belongs to it.
struct Json {
    enum class Type : std::uint8_t { null, boolean, number, string, array, object };

    Type type = Type::null;
    bool boolean = false;
    std::uint32_t offset = 0;         ///< byte offset of the value's first character in the text it was parsed from
    std::string text;                 ///< string: its characters (UTF-8) · number: its source text
    std::vector<Json> elements;       ///< array
    std::vector<JsonMember> members;  ///< object, in source order

    Json();
    Json(const Json&);
    Json(Json&&) noexcept;
    Json& operator=(const Json&);
    Json& operator=(Json&&) noexcept;
    ~Json();

    static Json of_string(std::string value);
    static Json of_number(std::int64_t value);
    static Json of_number_text(std::string source);
    static Json of_boolean(bool value);
    /// An array of strings.
    static Json of_strings(const std::vector<std::string>& values);
    /// A wall clock's time in UTC; null for 0: there is none.
    static Json of_time(std::int64_t wall_ms);
    static Json object();
    static Json array();

    bool is_null() const { return type == Type::null; }
    bool is_boolean() const { return type == Type::boolean; }
    bool is_number() const { return type == Type::number; }
    bool is_string() const { return type == Type::string; }
    bool is_array() const { return type == Type::array; }
    bool is_object() const { return type == Type::object; }

    /// The member of that name (of duplicates the last, as most parsers do), or nullptr; nullptr too if this is no object.
    const Json* find(std::string_view key) const;
    /// Adds or replaces a member; turns a null into an object first.
    Json& set(std::string_view key, Json value);
    /// Adds an element; turns a null into an array first.
    Json& push(Json value);
};

struct JsonMember {
    std::string key;
    Json value;
    std::uint32_t key_offset = 0;  ///< byte offset of the key's opening quote
};

/// Why a text is not JSON, and where.
struct JsonSyntaxError {
    std::string what;
    std::size_t offset = 0;
};

/// Parses one whole JSON text (RFC 8259, UTF-8, nothing after it). Nesting deeper than 200 is refused.
std::expected<Json, JsonSyntaxError> parse_json(std::string_view text);

/// Compact JSON text; numbers as they were written. Invalid UTF-8 in strings becomes U+FFFD.
std::string to_text(const Json& value);
/// The same into an existing buffer.
void append_text(std::string& out, const Json& value);

/// The value as it appears inside a text: a string's own characters, a number's source text, true/false/null, and
/// compact JSON for arrays and objects.
std::string to_plain_text(const Json& value);

/// The value that a JSON Pointer (RFC 6901, "" or "/a/0/b") names, or nullptr.
const Json* at_pointer(const Json& root, std::string_view pointer);

/// Deep equality; numbers by value (1.0 equals 1, 1e2 equals 100), objects whatever the order of their members.
bool equal(const Json& a, const Json& b);

/// <0, 0, >0 by the numbers' values: exact for integers of any length, as long double otherwise.
int compare_numbers(std::string_view a, std::string_view b);

/// Line and column of a byte offset, both from 1; a column counts code points, as editors do.
struct SourcePosition {
    std::size_t line = 1;
    std::size_t column = 1;
};
SourcePosition position_at(std::string_view text, std::size_t offset);

}  // namespace lockstep
