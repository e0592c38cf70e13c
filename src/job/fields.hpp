#pragma once
// Typed access to the values of a job file; whatever has the wrong type is reported once and read as absent.

#include <optional>
#include <set>

#include "base/duration.hpp"
#include "job/findings.hpp"
#include "job/keys.hpp"

namespace lockstep {

/// One object of the file: wrong type, unknown keys and missing required ones are reported when it is made.
class Fields {
  public:
    Fields(Findings& findings, Place place, const ObjectShape& shape);

    /// The value of a key of the shape, if it is there.
    std::optional<Place> get(std::string_view key) const;
    bool has(std::string_view key) const { return get(key).has_value(); }
    const Place& place() const { return place_; }
    bool is_object() const { return place_.json->is_object(); }

    /// Which one of these keys is there; none or more than one is reported (none only if `needed`), and nothing returned.
    std::optional<std::string_view> exactly_one(std::initializer_list<std::string_view> keys, bool needed) const;

  private:
    void report_keys();

    Findings* findings_;
    Place place_;
    const ObjectShape* shape_;
    std::set<std::string_view> meant_;  ///< what misspelt keys were probably meant to be: not reported as missing, too
};

std::optional<std::string> read_text(Findings& findings, const std::optional<Place>& at);
std::optional<bool> read_boolean(Findings& findings, const std::optional<Place>& at);
std::optional<int> read_whole_number(Findings& findings, const std::optional<Place>& at, int least, int most);
std::optional<double> read_decimal(Findings& findings, const std::optional<Place>& at, double least, double most);
std::optional<Millis> read_duration(Findings& findings, const std::optional<Place>& at, Millis least = Millis{1});
/// The index of the word in the enumeration.
std::optional<std::size_t> read_word(Findings& findings, const std::optional<Place>& at, const EnumShape& words);
/// A name: [A-Za-z_][A-Za-z0-9_-]*, at most 100 characters.
bool check_name(Findings& findings, const Place& at, std::string_view kind, std::string_view name);
/// A path, made absolute against `directory`.
std::optional<std::string> read_path(Findings& findings, const std::optional<Place>& at, const std::string& directory);

/// Whether this member of `object` is a "$comment", to be passed over; one that is no text is reported.
bool is_comment(Findings& findings, const Place& object, const JsonMember& member);

/// "a number", "an object", …
std::string_view type_name(const Json& value);
bool expect_type(Findings& findings, const Place& at, Json::Type type);

}  // namespace lockstep
