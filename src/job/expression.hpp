#pragma once
// Runtime expressions (OpenAPI 3.1 "Runtime Expressions", Arazzo 1.0) and texts that hold them: $inputs.a,
// $response.body#/id, $steps.NAME.first.outputs.a, {$…} inside a longer string, $$ for a dollar sign.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"

namespace lockstep {

enum class PhaseName : std::uint8_t { first, second, compensate };
std::string_view to_string(PhaseName phase);

/// One parsed expression.
struct Expression {
    enum class Kind : std::uint8_t {
        inputs,           ///< $inputs.NAME — and a pointer behind '#': $inputs.address#/city
        params,           ///< $params.NAME
        run_id,           ///< $run.id
        run_date,         ///< $run.date: the local date on which the run began, of a loop the pass, YYYY-MM-DD
        secrets,          ///< $secrets.NAME
        idempotency_key,  ///< $idempotencyKey
        status_code,      ///< $statusCode
        response_body,    ///< $response.body (its JSON, or its text if it is none), $response.body#/pointer
        response_header,  ///< $response.header.NAME (whatever its case; repeated ones joined by ", ")
        step_output,      ///< $steps.STEP.first|second.outputs.NAME, and #/pointer
        exit_status,      ///< $exitStatus
        stdout_text,      ///< $stdout (without its last newline), $stdout#/pointer (parsed as JSON)
    };
    Kind kind = Kind::inputs;
    std::string name;  ///< input, param, secret, header or output
    std::string step;  ///< step_output
    PhaseName phase = PhaseName::first;
    bool has_pointer = false;
    std::string pointer;     ///< RFC 6901
    std::string source;      ///< as written, with its '$'
    std::size_t offset = 0;  ///< of the '$' in the string it was found in
};

/// What is wrong with an expression, and where in the string it begins.
struct ExpressionError {
    std::string what;
    std::size_t offset = 0;
    std::string advice{};  ///< what to write instead; may be empty
};

std::expected<Expression, ExpressionError> parse_expression(std::string_view source);

/// Whether `text` begins like an expression: "$inputs.", "$statusCode", but not "$HOME" or "$1".
bool looks_like_expression(std::string_view text);

/// The answer of one attempt, against which success, refused, applied, outputs, … are evaluated.
struct Answer {
    // http
    std::optional<int> status_code;
    std::vector<std::pair<std::string, std::string>> headers;
    // command
    std::optional<int> exit_status;
    // both: the body, or stdout
    std::string body;
    bool body_was_longer = false;  ///< only its beginning was kept: nothing that looks at it is to be believed
    /// The body as JSON, parsed at the first use; nullptr when it is none.
    const Json* body_json() const;
    /// Why it is none: "line 1, column 5: …", without a byte of the body. Only after body_json() was nullptr.
    const std::string& why_no_json() const { return why_no_json_; }

  private:
    mutable bool parsed_ = false;
    mutable std::optional<Json> json_;
    mutable std::string why_no_json_;
};

/// Outputs of one phase: an object.
struct StepOutputs {
    std::map<std::pair<std::string, PhaseName>, Json> by_phase;
};

/// Everything an expression can refer to: views, made anew for every phase and copied often. Null pointers mean "missing".
struct Scope {
    const Json* inputs = nullptr;  ///< the item: an object
    const Json* params = nullptr;  ///< an object
    std::string_view run_id{};     ///< $run.id: of a pair, the run that began it
    std::string_view run_date{};   ///< $run.date, likewise
    std::string_view made_by{};    ///< the run that carries it out; no expression names it; commands get it as LOCKSTEP_RUN_ID
    std::string_view idempotency_key{};
    std::string_view item_key{};  ///< no expression names it; commands get it as LOCKSTEP_ITEM_KEY
    const StepOutputs* outputs = nullptr;
    /// An output of a phase that is not in `outputs` yet stands for itself, as a text: "{$steps.reserve.first.outputs.rid}".
    bool outputs_to_come = false;
    const Answer* answer = nullptr;
    /// Resolves a secret, or says by name what is missing; unset where secrets are to stay references.
    std::function<Result<std::string>(std::string_view name)> secret{};
};

/// Its value is an output that scope.outputs_to_come promises.
bool is_to_come(const Expression& expression, const Scope& scope);

/// The value, or nullopt if it is missing (a missing value is not an error by itself: `$x == null` asks for it).
std::optional<Json> evaluate(const Expression& expression, const Scope& scope);

/// A string of the job file: literal text and expressions. A '$' that begins no expression ("$1", "100$") is itself; what
/// looks like an expression but is none ("$inptus.a", "at $inputs.a" without braces) is an error.
struct Template {
    struct Part {
        bool is_expression = false;
        std::string literal;  ///< with $$ already reduced
        Expression expression;
    };
    std::vector<Part> parts;
    bool single_expression = false;  ///< the whole string is one expression: its value keeps its JSON type
    std::string source;

    bool is_constant() const;
};

std::expected<Template, ExpressionError> parse_template(std::string_view source);

/// How {$…} is written into the text around it.
enum class Quoting : std::uint8_t {
    none,
    percent,  ///< all but RFC 3986 unreserved characters percent-encoded (URLs); a URL that is one expression stays as it is
};

/// The text of a template. An expression whose value is missing or null is an error that names it; for a secret the error of
/// scope.secret.
/// Secrets stay references ("{$secrets.token}", and every other '$' doubled) when scope.secret is unset: the result is then a
/// template again, which a second render() with secrets turns into the final text.
Result<std::string> render(const Template& text, const Scope& scope, Quoting quoting = Quoting::none);

/// The JSON value of a template: a single expression keeps its type (null, too), anything else becomes a string. A missing
/// value is an error, and so is a secret if scope.secret is unset. No '$' is doubled.
Result<Json> render_value(const Template& text, const Scope& scope);

}  // namespace lockstep
