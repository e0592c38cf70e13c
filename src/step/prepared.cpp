#include "step/prepared.hpp"

#include "sys/enclosing_runs.hpp"

namespace lockstep {

namespace {

const std::string& text_of(const Json& object, std::string_view name) {
    static const std::string kEmpty;
    const Json* value = object.find(name);
    return value != nullptr && value->is_string() ? value->text : kEmpty;
}

const std::vector<Json>& elements_of(const Json& object, std::string_view name) {
    static const std::vector<Json> kNone;
    const Json* value = object.find(name);
    return value != nullptr ? value->elements : kNone;
}

Result<std::string> with_secrets(const std::string& text, const Scope& scope) {
    if (text.find('$') == std::string::npos) return text;
    const auto parsed = parse_template(text);
    if (!parsed) return fail(Failure::journal, "\"" + text + "\" is not a template: " + parsed.error().what);
    for (const Template::Part& part : parsed->parts) {
        if (!part.is_expression) continue;
        if (part.expression.kind != Expression::Kind::secrets) {
            return fail(Failure::journal, "the rendered request holds " + part.expression.source);
        }
    }
    auto value = render(*parsed, scope);
    if (!value) value.error().text += "; nothing was done";
    return value;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

Result<Pairs> named_values(const Json& object, std::string_view name, std::string_view forbidden, const Scope& scope) {
    Pairs result;
    for (const Json& pair : elements_of(object, name)) {
        if (pair.elements.size() != 2) return fail(Failure::journal, "the rendered request is damaged at " + std::string(name));
        auto value = with_secrets(pair.elements[1].text, scope);
        if (!value) return std::unexpected(std::move(value.error()));
        if (value->find_first_of(forbidden) != std::string::npos) {
            return fail(Failure::items, pair.elements[0].text + ": its value holds a " +
                                            (forbidden.size() > 1 ? "line break or a " : "") +
                                            "NUL character; nothing was done");
        }
        result.emplace_back(pair.elements[0].text, std::move(*value));
    }
    return result;
}

}  // namespace

Result<HttpRequest> prepare_http(const Json& http, const Scope& scope) {
    HttpRequest request;
    request.method = text_of(http, "method");
    request.url = text_of(http, "url");
    request.body = text_of(http, "body");
    request.has_body = http.find("body") != nullptr;
    request.body_file = text_of(http, "bodyFile");
    request.proxy = text_of(http, "proxy");
    request.fresh_connection = http.find("freshConnection") != nullptr;
    for (const Json& part : elements_of(http, "multipart")) {
        request.parts.push_back(
            {text_of(part, "name"), text_of(part, "value"), text_of(part, "file"), text_of(part, "contentType")});
    }
    auto headers = named_values(http, "headers", std::string_view("\r\n\0", 3), scope);
    if (!headers) return std::unexpected(std::move(headers.error()));
    request.headers = std::move(*headers);
    return request;
}

Result<PreparedCommand> prepare_command(const Json& command, const Scope& scope) {
    PreparedCommand prepared;
    for (const Json& argument : elements_of(command, "argv")) prepared.argv.push_back(argument.text);
    prepared.cwd = text_of(command, "cwd");
    prepared.stdin_text = text_of(command, "stdin");
    prepared.has_stdin = command.find("stdin") != nullptr;
    auto environment = named_values(command, "env", std::string_view("\0", 1), scope);
    if (!environment) return std::unexpected(std::move(environment.error()));
    prepared.environment = std::move(*environment);
    prepared.environment.emplace_back(kRunIdVariable, enclosing_runs_with(scope.made_by));
    return prepared;
}

}  // namespace lockstep
