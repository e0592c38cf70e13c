// Parameters: declared with a default in the file, filled by --set.

#include "base/text.hpp"
#include "job/read.hpp"

namespace lockstep {

namespace {

bool is_scalar(const Json& value) { return !value.is_array() && !value.is_object(); }

/// The text of --set as a value of the default's type; nullopt if it is none.
std::optional<Json> value_like(const Json& declared, const std::string& text) {
    if (declared.is_string() || declared.is_null()) return Json::of_string(text);
    auto value = parse_json(text);
    if (!value || value->type != declared.type) return std::nullopt;
    return std::move(*value);
}

void set_param(Findings& findings, Json& params, const std::string& name, const std::string& text) {
    const Json* declared = params.find(name);
    if (declared == nullptr) {
        std::vector<std::string_view> names;
        for (const JsonMember& param : params.members) names.push_back(param.key);
        findings.add_general("--set " + printable(name) + ": the job has no such parameter",
                             suggestion(name, names, "declare it in \"params\" with its default"));
        return;
    }
    if (!is_utf8(text)) {
        findings.add_general("--set " + printable(name) + "=" + printable(text) + ": the value is not UTF-8");
    } else if (auto value = value_like(*declared, text)) {
        params.set(name, std::move(*value));
    } else {
        findings.add_general("--set " + printable(name) + "=" + printable(text) + ": the parameter is " +
                             std::string(type_name(*declared)));
    }
}

}  // namespace

Json read_params(Reading& reading, const std::optional<Place>& at, const JobFileOptions& options) {
    Json params = Json::object();
    if (at && expect_type(reading.findings, *at, Json::Type::object)) {
        for (const JsonMember& member : at->json->members) {
            if (is_comment(reading.findings, *at, member)) continue;
            const Place place = at->member(member);
            check_name(reading.findings, place, "a parameter", member.key);
            if (!is_scalar(member.value)) {
                reading.findings.add(place, "a parameter is a string, a number, true, false or null, not " +
                                                std::string(type_name(member.value)));
            }
            params.set(member.key, member.value);
        }
    }
    const Json declared = params;
    for (const auto& [name, text] : options.set) set_param(reading.findings, params, name, text);
    for (const JsonMember& param : declared.members) {
        if (!param.value.is_null() || !params.find(param.key)->is_null()) continue;
        reading.findings.add(at->member(param), "the parameter " + in_quotes(param.key) + " has no value",
                             "give it one here, or with --set " + param.key + "=VALUE");
    }
    return params;
}

}  // namespace lockstep
