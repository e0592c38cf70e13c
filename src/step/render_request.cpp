// From an action and a scope to a request that can be journalled and sent again by another process:
//
//   {"http": {"method", "url", "headers": [[name, template]], "body" | "bodyFile" | "multipart": [{"name", "value" | "file",
//             "contentType"}], "files": {path: what it was}, "proxy", "freshConnection": true}}
//   {"command": {"argv": [], "env": [[name, template]], "cwd", "stdin"}}

#include <algorithm>

#include "base/text.hpp"
#include "step/request.hpp"

namespace lockstep {

namespace {

constexpr std::string_view kLineBreaks("\r\n\0", 3);
constexpr std::string_view kNul("\0", 1);

std::unexpected<Error> bad(const std::string& where, const std::string& what) {
    return fail(Failure::items, where + ": " + what);
}

/// The final text; there are no secrets where this is used.
Result<std::string> final_text(const Template& text, const Scope& plain, const std::string& where,
                               std::string_view forbidden = {}, Quoting quoting = Quoting::none) {
    auto rendered = render(text, plain, quoting);
    if (!rendered) return bad(where, rendered.error().text);
    if (!forbidden.empty() && rendered->find_first_of(forbidden) != std::string::npos) {
        return bad(where, forbidden == kNul ? "holds a NUL character" : "holds a line break or a NUL character");
    }
    return rendered;
}

/// Part of the text is not known yet: nothing can be said of the whole.
bool is_to_come(const Template& text, const Scope& scope) {
    return std::ranges::any_of(text.parts, [&](const Template::Part& part) {
        return part.is_expression && lockstep::is_to_come(part.expression, scope);
    });
}

/// The expression that makes a whole path segment empty, "." or "..", so that another place is asked: the collection instead of
/// its member, or what lies above. What the job file itself says (literals and parameters) is meant so.
std::optional<std::string> leads_elsewhere(const Template& url, const Scope& scope) {
    if (url.single_expression) return std::nullopt;
    std::string segment;
    const Expression* from = nullptr;
    const auto strays = [&] { return from != nullptr && (segment.empty() || segment == "." || segment == ".."); };
    for (const Template::Part& part : url.parts) {
        if (part.is_expression) {
            const auto value = evaluate(part.expression, scope);
            segment += value && !lockstep::is_to_come(part.expression, scope) ? to_plain_text(*value) : "?";
            if (part.expression.kind != Expression::Kind::params) from = &part.expression;
            continue;
        }
        for (const char c : part.literal) {
            if (c != '/' && c != '?' && c != '#') {
                segment += c;
                continue;
            }
            if (strays()) return from->source;
            if (c != '/') return std::nullopt;
            segment.clear();
            from = nullptr;
        }
    }
    return strays() ? std::optional(from->source) : std::nullopt;
}

std::string as_template(std::string_view text) {
    std::string out(text);
    for (auto at = out.find('$'); at != std::string::npos; at = out.find('$', at + 2)) out.insert(at, 1, '$');
    return out;
}

Json named(std::string name, std::string value) {
    Json pair = Json::array();
    pair.push(Json::of_string(std::move(name)));
    pair.push(Json::of_string(std::move(value)));
    return pair;
}

bool has_name(const Json& pairs, std::string_view name) {
    return std::ranges::any_of(pairs.elements,
                               [&](const Json& pair) { return equal_ignoring_case(pair.elements[0].text, name); });
}

class Renderer {
  public:
    explicit Renderer(const Scope& scope) : scope_(scope), plain_(scope), templating_(scope) {
        plain_.secret = [](std::string_view) { return fail(Failure::job_file, "no secret belongs here"); };
        templating_.secret = nullptr;
    }

    Result<Json> http(const HttpSpec& spec, const std::optional<IdempotencySpec>& idempotency);
    Result<Json> command(const CommandSpec& spec);

  private:
    Result<Json> pairs(const std::vector<NamedTemplate>& templates, const std::string& what, std::string_view forbidden);
    Result<void> check_secrets(const Template& text, const std::string& where, std::string_view forbidden) const;
    Result<std::string> url(const HttpSpec& spec);
    Result<std::string> encoded(const std::vector<NamedTemplate>& fields, const std::string& what);
    Result<void> body(const HttpSpec& spec, Json& request, Json& headers);
    Result<Json> multipart(const HttpSpec& spec);
    Result<std::string> file(const Template& path, const HttpSpec& spec, const std::string& where);

    const Scope& scope_;
    Scope plain_;       // secrets are missing
    Scope templating_;  // secrets stay references
};

Result<void> Renderer::check_secrets(const Template& text, const std::string& where, std::string_view forbidden) const {
    if (!scope_.secret) return {};
    for (const Template::Part& part : text.parts) {
        if (!part.is_expression || part.expression.kind != Expression::Kind::secrets) continue;
        const auto value = scope_.secret(part.expression.name);
        if (!value) return fail(value.error().failure, where + ": " + value.error().text);
        if (value->find_first_of(forbidden) != std::string::npos) {
            return bad(where, "secret \"" + part.expression.name + "\" holds a line break or a NUL character");
        }
    }
    return {};
}

Result<Json> Renderer::pairs(const std::vector<NamedTemplate>& templates, const std::string& what, std::string_view forbidden) {
    Json result = Json::array();
    for (const NamedTemplate& entry : templates) {
        const std::string where = what + " " + entry.name;
        auto value = final_text(entry.value, templating_, where, forbidden);
        if (!value) return std::unexpected(std::move(value.error()));
        if (auto had = check_secrets(entry.value, where, forbidden); !had) return std::unexpected(std::move(had.error()));
        result.push(named(entry.name, std::move(*value)));
    }
    return result;
}

Result<std::string> Renderer::encoded(const std::vector<NamedTemplate>& fields, const std::string& what) {
    std::string out;
    for (const NamedTemplate& field : fields) {
        const auto value = final_text(field.value, plain_, what + " " + field.name);
        if (!value) return value;
        if (!out.empty()) out += '&';
        out += percent_encoded(field.name) + "=" + percent_encoded(*value);
    }
    return out;
}

Result<std::string> Renderer::url(const HttpSpec& spec) {
    auto text = final_text(spec.url, plain_, "url", {}, Quoting::percent);
    if (!text) return text;
    if (const auto source = leads_elsewhere(spec.url, plain_))
        return bad("url", *source + " leaves its path segment empty, \".\" or \"..\", which leads to another place");
    const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7F'; };
    const bool to_come = is_to_come(spec.url, scope_);
    if (std::ranges::any_of(*text, blank) && !(to_come && spec.url.single_expression))
        return bad("url", "holds a blank or a control character; write it percent-encoded");
    if (!to_come && !text->starts_with("http://") && !text->starts_with("https://"))
        return bad("url", "does not begin with http:// or https://");
    const auto query = encoded(spec.query, "query");
    if (!query) return query;
    if (query->empty()) return text;
    const std::size_t fragment = std::min(text->find('#'), text->size());
    const bool has_query = text->find('?') < fragment;
    return text->insert(fragment, (has_query ? "&" : "?") + *query);
}

Result<std::string> Renderer::file(const Template& path, const HttpSpec& spec, const std::string& where) {
    auto text = final_text(path, plain_, where, kNul);
    if (!text) return text;
    if (text->empty() && !is_to_come(path, scope_)) return bad(where, "the path is empty");
    return text->starts_with('/') || spec.directory.empty() ? std::move(text) : spec.directory + "/" + *text;
}

Result<Json> Renderer::multipart(const HttpSpec& spec) {
    Json parts = Json::array();
    for (const MultipartSpec& part : spec.multipart) {
        const std::string where = "multipart " + part.name;
        Json made = Json::object();
        made.set("name", Json::of_string(part.name));
        auto content = part.file ? file(*part.file, spec, where) : final_text(*part.value, plain_, where);
        if (!content) return std::unexpected(std::move(content.error()));
        made.set(part.file ? "file" : "value", Json::of_string(std::move(*content)));
        if (!part.content_type.empty()) made.set("contentType", Json::of_string(part.content_type));
        parts.push(std::move(made));
    }
    return parts;
}

Result<void> Renderer::body(const HttpSpec& spec, Json& request, Json& headers) {
    const auto typed = [&](const char* type) {
        if (!has_name(headers, "Content-Type")) headers.push(named("Content-Type", type));
    };
    if (spec.body) {
        const auto value = spec.body->render(plain_);
        if (!value) return bad("body", value.error().text);
        request.set("body", Json::of_string(to_text(*value)));
        typed("application/json");
    } else if (!spec.form.empty()) {
        auto text = encoded(spec.form, "form");
        if (!text) return std::unexpected(std::move(text.error()));
        request.set("body", Json::of_string(std::move(*text)));
        typed("application/x-www-form-urlencoded");
    } else if (!spec.multipart.empty()) {
        auto parts = multipart(spec);
        if (!parts) return std::unexpected(std::move(parts.error()));
        request.set("multipart", std::move(*parts));
    } else if (spec.body_file) {
        auto path = file(*spec.body_file, spec, "bodyFile");
        if (!path) return std::unexpected(std::move(path.error()));
        request.set("bodyFile", Json::of_string(std::move(*path)));
        typed("application/octet-stream");
    }
    return {};
}

Result<Json> Renderer::http(const HttpSpec& spec, const std::optional<IdempotencySpec>& idempotency) {
    Json request = Json::object();
    request.set("method", Json::of_string(spec.method));
    auto address = url(spec);
    if (!address) return std::unexpected(std::move(address.error()));
    request.set("url", Json::of_string(std::move(*address)));
    auto headers = pairs(spec.headers, "header", kLineBreaks);
    if (!headers) return headers;
    if (idempotency) headers->push(named(idempotency->header, as_template(scope_.idempotency_key)));
    if (auto done = body(spec, request, *headers); !done) return std::unexpected(std::move(done.error()));
    request.set("headers", std::move(*headers));
    if (!spec.proxy.empty()) request.set("proxy", Json::of_string(spec.proxy));
    if (!idempotency && !spec.method_is_idempotent()) request.set("freshConnection", Json::of_boolean(true));
    Json result = Json::object();
    result.set("http", std::move(request));
    return result;
}

Result<Json> Renderer::command(const CommandSpec& spec) {
    Json request = Json::object();
    Json argv = Json::array();
    for (std::size_t i = 0; i < spec.argv.size(); ++i) {
        auto argument = final_text(spec.argv[i], plain_, "argument " + std::to_string(i), kLineBreaks);
        if (!argument) return std::unexpected(std::move(argument.error()));
        if (i == 0 && argument->empty() && !is_to_come(spec.argv[i], scope_))
            return bad("argument 0", "the program's name is empty");
        argv.push(Json::of_string(std::move(*argument)));
    }
    request.set("argv", std::move(argv));
    auto environment = pairs(spec.env, "env", kNul);
    if (!environment) return environment;
    environment->push(named("LOCKSTEP_ITEM_KEY", as_template(scope_.item_key)));
    environment->push(named("LOCKSTEP_IDEMPOTENCY_KEY", as_template(scope_.idempotency_key)));
    request.set("env", std::move(*environment));
    request.set("cwd", Json::of_string(spec.cwd));
    if (spec.stdin_text) {
        auto text = final_text(*spec.stdin_text, plain_, "stdin");
        if (!text) return std::unexpected(std::move(text.error()));
        request.set("stdin", Json::of_string(std::move(*text)));
    }
    Json result = Json::object();
    result.set("command", std::move(request));
    return result;
}

}  // namespace

Result<RenderedRequest> render_request(const ActionSpec& action, const std::optional<IdempotencySpec>& idempotency,
                                       const Scope& scope) {
    Renderer renderer(scope);
    const auto* spec = std::get_if<HttpSpec>(&action);
    auto json = spec != nullptr ? renderer.http(*spec, idempotency) : renderer.command(std::get<CommandSpec>(action));
    if (!json) return std::unexpected(std::move(json.error()));
    return RenderedRequest{std::move(*json)};
}

}  // namespace lockstep
