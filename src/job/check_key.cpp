// Keys: what makes two items one. And keys in the other sense: no object has one twice.

#include <algorithm>
#include <set>

#include "job/read.hpp"

namespace lockstep {

namespace {

bool key_uses(const Template& key, Expression::Kind kind, std::string_view name) {
    return std::ranges::any_of(key.parts, [&](const Template::Part& part) {
        return part.is_expression && part.expression.kind == kind && (name.empty() || part.expression.name == name);
    });
}

}  // namespace

void check_key(Reading& reading, const JobSpec& job, const std::optional<Place>& key_place) {
    if (!key_place || !key_place->json->is_string()) return;
    const Template key = parse_template(key_place->json->text).value_or(Template{});
    if (key.parts.empty()) {
        if (key_place->json->text.empty()) reading.findings.add(*key_place, "the key is empty");
        return;
    }
    if (job.items && !key_uses(key, Expression::Kind::inputs, "")) {
        reading.findings.add(*key_place, "every item would have the same key",
                             "use a value of the item in it, such as {$inputs.id}");
    }
    std::set<std::string> reported;
    for (const ExpressionUse& use : reading.uses) {
        const bool step_param = use.around.role == Surroundings::Role::phase && use.expression.kind == Expression::Kind::params;
        if (!step_param || key_uses(key, Expression::Kind::params, use.expression.name) ||
            !reported.insert(use.expression.name).second)
            continue;
        if (job.params.find(use.expression.name) == nullptr) continue;  // reported as unknown
        reading.findings.add(
            *key_place,
            "the parameter " + in_quotes(use.expression.name) + " is used at " + use.place.pointer + " but not in the key",
            "two runs with different values would be taken for one: add {" + use.expression.source + "} to the key");
    }
}

void check_duplicate_keys(Findings& findings, const Place& at) {
    std::set<std::string_view> seen;
    for (const JsonMember& member : at.json->members) {
        const Place place = at.member(member);
        if (!seen.insert(member.key).second) {
            findings.add_at(member.key_offset, place.pointer,
                            "the key " + in_quotes(member.key) + " stands here for the second time", "leave one of them out");
        }
        check_duplicate_keys(findings, place);
    }
    for (std::size_t i = 0; i < at.json->elements.size(); ++i) check_duplicate_keys(findings, at.element(i));
}

}  // namespace lockstep
