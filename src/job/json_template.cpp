#include "job/json_template.hpp"

namespace lockstep {

namespace {

/// Each string with a '$' in it. What `visit` puts in its place is not looked into.
template <class Value, class Visit>
void for_each_text(Value& json, const Visit& visit) {
    if (json.is_string()) {
        if (json.text.find('$') != std::string::npos) visit(json);
        return;
    }
    for (auto& element : json.elements) for_each_text(element, visit);
    for (auto& member : json.members) for_each_text(member.value, visit);
}

}  // namespace

std::expected<JsonTemplate, ExpressionError> JsonTemplate::parse(Json source) {
    JsonTemplate result;
    result.source_ = std::move(source);
    std::optional<ExpressionError> error;
    for_each_text(std::as_const(result.source_), [&](const Json& string) {
        auto text = parse_template(string.text);
        if (text) {
            result.texts_.push_back(std::move(*text));
        } else if (!error) {
            error = std::move(text.error());
        }
    });
    if (error) return std::unexpected(std::move(*error));
    return result;
}

Result<Json> JsonTemplate::render(const Scope& scope) const {
    Json result = source_;
    std::optional<Error> error;
    auto text = texts_.begin();
    for_each_text(result, [&](Json& string) {
        auto value = render_value(*text++, scope);
        if (value) {
            string = std::move(*value);
        } else if (!error) {
            error = std::move(value.error());
        }
    });
    if (error) return std::unexpected(std::move(*error));
    return result;
}

}  // namespace lockstep
