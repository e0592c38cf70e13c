#include "job/fields.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "base/text.hpp"

namespace lockstep {

namespace {

std::string_view name_of(Json::Type type) {
    switch (type) {
        case Json::Type::null: return "null";
        case Json::Type::boolean: return "true or false";
        case Json::Type::number: return "a number";
        case Json::Type::string: return "a string";
        case Json::Type::array: return "an array";
        case Json::Type::object: return "an object";
    }
    return "";
}

std::string plain(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text;
}

bool is_meant_as_comment(std::string_view key) { return key.starts_with("//") || key == "comment" || key == "_comment"; }

}  // namespace

std::string_view type_name(const Json& value) { return name_of(value.type); }

bool expect_type(Findings& findings, const Place& at, Json::Type type) {
    if (at.json->type == type) return true;
    findings.add(at, "this must be " + std::string(name_of(type)) + ", not " + std::string(type_name(*at.json)));
    return false;
}

bool is_comment(Findings& findings, const Place& object, const JsonMember& member) {
    if (member.key != keys::kComment) return false;
    const Place place = object.member(member);
    if (!place.json->is_array()) {
        read_text(findings, place);
        return true;
    }
    for (std::size_t i = 0; i < place.json->elements.size(); ++i) read_text(findings, place.element(i));
    return true;
}

Fields::Fields(Findings& findings, Place place, const ObjectShape& shape)
    : findings_(&findings), place_(std::move(place)), shape_(&shape) {
    if (expect_type(findings, place_, Json::Type::object)) report_keys();
}

std::optional<Place> Fields::get(std::string_view key) const {
    assert(std::ranges::find(shape_->keys, key, &KeySpec::name) != shape_->keys.end());
    for (auto member = place_.json->members.rbegin(); member != place_.json->members.rend(); ++member) {
        if (member->key == key) return place_.member(*member);
    }
    return std::nullopt;
}

void Fields::report_keys() {
    std::vector<std::string_view> known;
    for (const KeySpec& key : shape_->keys) known.push_back(key.name);
    for (const JsonMember& member : place_.json->members) {
        if (std::ranges::find(known, member.key) != known.end() || is_comment(*findings_, place_, member)) continue;
        std::string advice =
            is_meant_as_comment(member.key) ? "write a comment as \"$comment\"" : suggestion(member.key, known);
        findings_->add_at(member.key_offset, place_.member(member).pointer, "unknown key " + in_quotes(member.key),
                          std::move(advice));
        meant_.insert(closest_match(member.key, known));
    }
    for (const KeySpec& key : shape_->keys) {
        if (key.required && !has(key.name) && !meant_.contains(key.name))
            findings_->add(place_, "the key " + in_quotes(key.name) + " is missing");
    }
}

std::optional<std::string_view> Fields::exactly_one(std::initializer_list<std::string_view> keys, bool needed) const {
    std::vector<std::string_view> there;
    std::string list;
    bool misspelt = false;
    for (const std::string_view key : keys) {
        if (has(key)) there.push_back(key);
        misspelt = misspelt || meant_.contains(key);
        list += (list.empty() ? "" : ", ") + std::string(key);
    }
    if (there.size() == 1) return there.front();
    if (there.size() > 1) {
        findings_->add(*get(there[1]), in_quotes(there[1]) + " beside " + in_quotes(there[0]), "give only one of " + list);
    } else if (needed && is_object() && !misspelt && there.empty()) {
        findings_->add(place_, "one of " + list + " is missing");
    }
    return std::nullopt;
}

std::optional<std::string> read_text(Findings& findings, const std::optional<Place>& at) {
    if (!at || !expect_type(findings, *at, Json::Type::string)) return std::nullopt;
    return at->json->text;
}

std::optional<bool> read_boolean(Findings& findings, const std::optional<Place>& at) {
    if (!at || !expect_type(findings, *at, Json::Type::boolean)) return std::nullopt;
    return at->json->boolean;
}

std::optional<int> read_whole_number(Findings& findings, const std::optional<Place>& at, int least, int most) {
    if (!at || !expect_type(findings, *at, Json::Type::number)) return std::nullopt;
    const std::string& text = at->json->text;
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size() && value >= least && value <= most) return value;
    findings.add(*at,
                 printable(text, 40) + " is not a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
}

std::optional<double> read_decimal(Findings& findings, const std::optional<Place>& at, double least, double most) {
    if (!at || !expect_type(findings, *at, Json::Type::number)) return std::nullopt;
    const double value = std::strtod(at->json->text.c_str(), nullptr);
    if (value >= least && value <= most) return value;
    findings.add(*at, printable(at->json->text, 40) + " is not a number from " + plain(least) + " to " + plain(most));
    return std::nullopt;
}

std::optional<Millis> read_duration(Findings& findings, const std::optional<Place>& at, Millis least) {
    if (!at) return std::nullopt;
    if (at->json->is_number()) {
        const bool is_whole = at->json->text.find_first_not_of("0123456789") == std::string::npos;
        findings.add(*at, "a duration needs a unit",
                     is_whole ? "write \"" + at->json->text + "s\", or 500ms, 2m, 1h"
                              : "write a whole number and a unit: 500ms, 30s, 2m, 1h");
        return std::nullopt;
    }
    if (!expect_type(findings, *at, Json::Type::string)) return std::nullopt;
    const Result<Millis> duration = parse_duration(at->json->text);
    if (!duration) {
        findings.add(*at, printable(duration.error().text));
        return std::nullopt;
    }
    if (*duration >= least) return *duration;
    findings.add(*at, "this must be longer than 0");
    return std::nullopt;
}

std::optional<std::size_t> read_word(Findings& findings, const std::optional<Place>& at, const EnumShape& words) {
    if (!at || !expect_type(findings, *at, Json::Type::string)) return std::nullopt;
    const auto found = std::ranges::find(words.words, at->json->text);
    if (found != words.words.end()) return static_cast<std::size_t>(found - words.words.begin());
    const std::vector<std::string_view> candidates(words.words.begin(), words.words.end());
    findings.add(*at, in_quotes(at->json->text) + " " + std::string(words.wrong), suggestion(at->json->text, candidates));
    return std::nullopt;
}

bool check_name(Findings& findings, const Place& at, std::string_view kind, std::string_view name) {
    constexpr std::size_t kLongest = 100;
    if (is_name(name) && name.size() <= kLongest) return true;
    findings.add(at, in_quotes(name) + " is not a name for " + std::string(kind),
                 name.size() > kLongest ? "use at most 100 characters"
                                        : "use letters, digits, '_' and '-', and do not begin with a digit or '-'");
    return false;
}

std::optional<std::string> read_path(Findings& findings, const std::optional<Place>& at, const std::string& directory) {
    const std::optional<std::string> path = read_text(findings, at);
    if (!path) return std::nullopt;
    if (path->empty() || path->find('\0') != std::string::npos) {
        findings.add(*at, path->empty() ? "a path cannot be empty" : "a path cannot hold a NUL");
        return std::nullopt;
    }
    return path->starts_with('/') ? *path : directory + (directory.ends_with('/') ? "" : "/") + *path;
}

}  // namespace lockstep
