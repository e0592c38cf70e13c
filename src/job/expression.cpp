// Parsing of single expressions.

#include "job/expression.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace lockstep {

std::string_view to_string(PhaseName phase) {
    switch (phase) {
        case PhaseName::first: return "first";
        case PhaseName::second: return "second";
        case PhaseName::compensate: return "compensate";
    }
    return "";
}

namespace {

using Kind = Expression::Kind;

constexpr std::array<std::string_view, 10> kRoots = {"inputs",     "params",   "run",   "secrets",    "idempotencyKey",
                                                     "statusCode", "response", "steps", "exitStatus", "stdout"};

bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

class ExpressionParser {
  public:
    explicit ExpressionParser(std::string_view source) : source_(source) { result_.source = source; }

    std::expected<Expression, ExpressionError> parse() {
        if (!source_.starts_with('$')) return error(0, "an expression begins with '$'");
        at_ = 1;
        const std::string_view root = word();
        const auto found = std::ranges::find(kRoots, root);
        if (found == kRoots.end()) return unknown_root(root);
        if (auto parsed = after_root(root); !parsed) return std::unexpected(std::move(parsed.error()));
        if (at_ < source_.size()) return trailing();
        return std::move(result_);
    }

  private:
    using Step = std::expected<void, ExpressionError>;

    Step after_root(std::string_view root) {
        if (root == "inputs") return named(Kind::inputs, true);
        if (root == "params") return named(Kind::params, false);
        if (root == "secrets") return named(Kind::secrets, false);
        if (root == "run") return run();
        if (root == "response") return response();
        if (root == "steps") return step_output();
        if (root == "stdout") return bare(Kind::stdout_text, true);
        if (root == "idempotencyKey") return bare(Kind::idempotency_key, false);
        if (root == "statusCode") return bare(Kind::status_code, false);
        return bare(Kind::exit_status, false);
    }

    Step bare(Kind kind, bool may_point) {
        result_.kind = kind;
        return may_point ? pointer() : Step{};
    }

    Step named(Kind kind, bool may_point) {
        result_.kind = kind;
        if (auto read = name_into(result_.name); !read) return read;
        return may_point ? pointer() : Step{};
    }

    Step run() {
        constexpr std::array<std::string_view, 2> kWords = {"id", "date"};
        const auto which = one_of(kWords);
        if (!which) return std::unexpected(which.error());
        return bare(*which == "id" ? Kind::run_id : Kind::run_date, false);
    }

    Step response() {
        constexpr std::array<std::string_view, 2> kWords = {"body", "header"};
        const auto which = one_of(kWords);
        if (!which) return std::unexpected(which.error());
        if (*which == "body") return bare(Kind::response_body, true);
        result_.kind = Kind::response_header;
        return name_into(result_.name);
    }

    Step step_output() {
        constexpr std::array<std::string_view, 2> kPhases = {"first", "second"};
        constexpr std::array<std::string_view, 1> kOutputs = {"outputs"};
        if (auto read = name_into(result_.step); !read) return read;
        const auto phase = one_of(kPhases);
        if (!phase) return std::unexpected(phase.error());
        result_.phase = *phase == "first" ? PhaseName::first : PhaseName::second;
        if (auto outputs = one_of(kOutputs); !outputs) return std::unexpected(outputs.error());
        return named(Kind::step_output, true);
    }

    Step pointer() {
        if (at_ == source_.size() || source_[at_] != '#') return {};
        const std::size_t start = ++at_;
        const std::string_view text = source_.substr(start);
        if (!text.empty() && text.front() != '/')
            return error(start, "a JSON pointer begins with '/'", "write #/" + std::string(text));
        for (std::size_t i = text.find('~'); i != std::string_view::npos; i = text.find('~', i + 1)) {
            if (i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1')) continue;
            return error(start + i, "a '~' in a JSON pointer needs 0 or 1 behind it", "~0 is '~', ~1 is '/'");
        }
        result_.has_pointer = true;
        result_.pointer = text;
        at_ = source_.size();
        return {};
    }

    std::string_view word() {
        const std::size_t start = at_;
        while (at_ < source_.size() && is_name_char(source_[at_])) ++at_;
        return source_.substr(start, at_ - start);
    }

    /// ".NAME"
    Step name_into(std::string& out) {
        if (at_ == source_.size() || source_[at_] != '.') return error(at_, so_far() + " needs a '.' and a name behind it");
        ++at_;
        const std::size_t start = at_;
        out = word();
        if (!is_name(out)) {
            return error(start, so_far() + ": a name is missing here",
                         "names are letters, digits, '_' and '-', not beginning with a digit");
        }
        return {};
    }

    /// ".WORD", one of the given words.
    std::expected<std::string_view, ExpressionError> one_of(std::span<const std::string_view> words) {
        std::string choices;
        for (const std::string_view each : words) choices += (choices.empty() ? "." : " or .") + std::string(each);
        if (at_ == source_.size() || source_[at_] != '.') return error(at_, so_far() + " needs " + choices + " behind it");
        const std::size_t start = ++at_;
        const std::string_view got = word();
        if (std::ranges::find(words, got) != words.end()) return got;
        const std::string_view meant = closest_match(got, words);
        const std::string what = '"' + printable(got) + "\" where " + choices + " belongs";
        return error(start, what, meant.empty() ? "" : "did you mean \"" + std::string(meant) + "\"?");
    }

    std::unexpected<ExpressionError> unknown_root(std::string_view root) {
        const std::string_view meant = closest_match(root, kRoots);
        const std::string advice =
            meant.empty() ? "a dollar sign itself is written $$" : "did you mean \"$" + std::string(meant) + "\"?";
        return error(0, "\"$" + printable(root) + "\" is not an expression", advice);
    }

    std::unexpected<ExpressionError> trailing() {
        const std::string head(source_.substr(0, at_));
        const std::string what = '"' + printable(source_.substr(at_)) + "\" cannot stand behind " + head;
        return error(at_, what, "inside a longer text an expression stands in braces: {" + head + "}");
    }

    std::string so_far() const { return std::string(source_.substr(0, at_)); }

    static std::unexpected<ExpressionError> error(std::size_t offset, std::string what, std::string advice = "") {
        return std::unexpected(ExpressionError{std::move(what), offset, std::move(advice)});
    }

    std::string_view source_;
    std::size_t at_ = 0;
    Expression result_;
};

}  // namespace

std::expected<Expression, ExpressionError> parse_expression(std::string_view source) {
    return ExpressionParser(source).parse();
}

bool looks_like_expression(std::string_view text) {
    if (!text.starts_with('$')) return false;
    text.remove_prefix(1);
    const auto end = std::ranges::find_if_not(text, is_name_char);
    const std::string_view root = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    if (std::ranges::find(kRoots, root) == kRoots.end()) return false;
    const bool needs_name =
        root == "inputs" || root == "params" || root == "run" || root == "secrets" || root == "response" || root == "steps";
    return !needs_name || text.substr(root.size()).starts_with('.');
}

}  // namespace lockstep
