// Values of expressions, and templates turned into text.

#include "base/text.hpp"
#include "job/expression.hpp"

namespace lockstep {

namespace {

/// What was read last is left out: it may be long, and hold a secret.
std::string place_and_reason(std::string_view text, const JsonSyntaxError& error) {
    const SourcePosition place = position_at(text, error.offset);
    return "line " + std::to_string(place.line) + ", column " + std::to_string(place.column) + ": " +
           error.what.substr(0, error.what.find("; last read:"));
}

}  // namespace

const Json* Answer::body_json() const {
    if (!parsed_) {
        parsed_ = true;
        auto parsed = parse_json(body);
        if (parsed) {
            json_ = std::move(*parsed);
        } else {
            why_no_json_ = body.empty() ? "it is empty" : place_and_reason(body, parsed.error());
        }
    }
    return json_ ? &*json_ : nullptr;
}

namespace {

using Kind = Expression::Kind;

std::optional<Json> copy_of(const Json* value) { return value != nullptr ? std::optional(*value) : std::nullopt; }

std::optional<Json> pointed(const Json* root, const Expression& expression) {
    return copy_of(root != nullptr ? at_pointer(*root, expression.pointer) : nullptr);
}

std::optional<Json> header_value(const Answer& answer, const std::string& name) {
    std::optional<Json> value;
    for (const auto& [key, text] : answer.headers) {
        if (!equal_ignoring_case(key, name)) continue;
        if (value) {
            value->text += ", " + text;
        } else {
            value = Json::of_string(text);
        }
    }
    return value;
}

std::optional<Json> answer_value(const Expression& expression, const Answer& answer) {
    const auto number = [](std::optional<int> n) { return n ? std::optional(Json::of_number(*n)) : std::nullopt; };
    switch (expression.kind) {
        case Kind::status_code: return number(answer.status_code);
        case Kind::exit_status: return number(answer.exit_status);
        case Kind::response_header: return header_value(answer, expression.name);
        case Kind::response_body:
            if (expression.has_pointer) return pointed(answer.body_json(), expression);
            return answer.body_json() != nullptr ? *answer.body_json() : Json::of_string(answer.body);
        case Kind::stdout_text:
            if (expression.has_pointer) return pointed(answer.body_json(), expression);
            return Json::of_string(answer.body.ends_with('\n') ? answer.body.substr(0, answer.body.size() - 1) : answer.body);
        default: return std::nullopt;
    }
}

std::optional<Json> output_value(const Expression& expression, const Scope& scope) {
    if (is_to_come(expression, scope)) return Json::of_string("{" + printable(expression.source) + "}");
    if (scope.outputs == nullptr) return std::nullopt;
    const auto phase = scope.outputs->by_phase.find({expression.step, expression.phase});
    if (phase == scope.outputs->by_phase.end()) return std::nullopt;
    return pointed(phase->second.find(expression.name), expression);
}

}  // namespace

bool is_to_come(const Expression& expression, const Scope& scope) {
    if (expression.kind != Kind::step_output || !scope.outputs_to_come) return false;
    return scope.outputs == nullptr || !scope.outputs->by_phase.contains({expression.step, expression.phase});
}

std::optional<Json> evaluate(const Expression& expression, const Scope& scope) {
    switch (expression.kind) {
        case Kind::inputs: return pointed(scope.inputs != nullptr ? scope.inputs->find(expression.name) : nullptr, expression);
        case Kind::params: return copy_of(scope.params != nullptr ? scope.params->find(expression.name) : nullptr);
        case Kind::run_id: return Json::of_string(std::string(scope.run_id));
        case Kind::run_date: return Json::of_string(std::string(scope.run_date));
        case Kind::idempotency_key: return Json::of_string(std::string(scope.idempotency_key));
        case Kind::secrets: {
            if (!scope.secret) return std::nullopt;
            auto value = scope.secret(expression.name);
            return value ? std::optional(Json::of_string(std::move(*value))) : std::nullopt;
        }
        case Kind::step_output: return output_value(expression, scope);
        default: return scope.answer != nullptr ? answer_value(expression, *scope.answer) : std::nullopt;
    }
}

namespace {

void append_doubling_dollars(std::string& out, std::string_view text) {
    for (const char c : text) out.append(c == '$' ? 2 : 1, c);
}

enum class Form : std::uint8_t { text, template_again };

/// What is said of an expression that has no value.
std::string missing(const Expression& expression, const Scope& scope) {
    const bool asks_for_json =
        expression.has_pointer && (expression.kind == Kind::response_body || expression.kind == Kind::stdout_text);
    if (!asks_for_json || scope.answer == nullptr || scope.answer->body_json() != nullptr)
        return expression.source + " is missing";
    const char* what = expression.kind == Kind::stdout_text ? "stdout" : "the body";
    return expression.source + " is missing: " + what + " is not JSON: " + scope.answer->why_no_json();
}

Result<std::string> value_text(const Expression& expression, const Scope& scope) {
    if (expression.kind == Kind::secrets && scope.secret) return scope.secret(expression.name);
    const std::optional<Json> value = evaluate(expression, scope);
    if (!value) return fail(Failure::items, missing(expression, scope));
    if (value->is_null()) return fail(Failure::items, expression.source + " is null");
    return to_plain_text(*value);
}

Result<std::string> render_as(Form form, const Template& text, const Scope& scope, Quoting quoting) {
    std::string out;
    const auto append = [&](std::string_view piece) {
        if (form == Form::template_again) {
            append_doubling_dollars(out, piece);
        } else {
            out += piece;
        }
    };
    for (const Template::Part& part : text.parts) {
        if (!part.is_expression) {
            append(part.literal);
            continue;
        }
        if (form == Form::template_again && part.expression.kind == Kind::secrets) {
            out += "{" + part.expression.source + "}";
            continue;
        }
        const Result<std::string> value = value_text(part.expression, scope);
        if (!value) return std::unexpected(value.error());
        if (quoting == Quoting::percent && !text.single_expression) {
            out += percent_encoded(*value);
        } else {
            append(*value);
        }
    }
    return out;
}

}  // namespace

Result<std::string> render(const Template& text, const Scope& scope, Quoting quoting) {
    return render_as(scope.secret ? Form::text : Form::template_again, text, scope, quoting);
}

Result<Json> render_value(const Template& text, const Scope& scope) {
    if (text.single_expression) {
        const Expression& expression = text.parts.front().expression;
        std::optional<Json> value = evaluate(expression, scope);
        if (!value) return fail(Failure::items, missing(expression, scope));
        return std::move(*value);
    }
    Result<std::string> done = render_as(Form::text, text, scope, Quoting::none);
    if (!done) return std::unexpected(std::move(done.error()));
    return Json::of_string(std::move(*done));
}

}  // namespace lockstep
