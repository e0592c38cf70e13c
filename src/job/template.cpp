// Strings of the job file: literal text with expressions in it.

#include <algorithm>

#include "base/text.hpp"
#include "job/expression.hpp"

namespace lockstep {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// "inputs.id}…": of what many other tools write as ${inputs.id}. A shell's own ${NAME} has no dot.
bool is_named_root(std::string_view text) {
    const std::size_t end = text.find_first_of(".}");
    return end != std::string_view::npos && text[end] == '.' && looks_like_expression("$" + std::string(text));
}

class TemplateParser {
  public:
    explicit TemplateParser(std::string_view source) : source_(source) { result_.source = source; }

    std::expected<Template, ExpressionError> parse() {
        if (source_.size() > 1 && source_[0] == '$' && is_letter(source_[1])) {
            if (auto added = add_expression(0, source_.size()); !added) return std::unexpected(std::move(added.error()));
            result_.single_expression = true;
            return std::move(result_);
        }
        while (at_ < source_.size()) {
            const std::size_t dollar = std::min(source_.find('$', at_), source_.size());
            literal_ += source_.substr(at_, dollar - at_);
            at_ = dollar;
            if (at_ == source_.size()) break;
            if (auto taken = at_dollar(); !taken) return std::unexpected(std::move(taken.error()));
        }
        flush_literal();
        return std::move(result_);
    }

  private:
    std::expected<void, ExpressionError> at_dollar() {
        const char next = at_ + 1 < source_.size() ? source_[at_ + 1] : '\0';
        if (next == '$') {
            literal_ += '$';
            at_ += 2;
            return {};
        }
        if (is_letter(next) && at_ > 0 && source_[at_ - 1] == '{') return braced();
        if (next == '{' && is_named_root(source_.substr(at_ + 2))) {
            const std::string inside(source_.substr(at_ + 2, source_.find('}', at_) - at_ - 2));
            return error("\"${" + printable(inside) + "\" is not how an expression is written",
                         "write {$" + printable(inside) + "}; a dollar sign itself is written $$");
        }
        if (looks_like_expression(source_.substr(at_))) {
            return error("an expression inside a longer text needs braces", "write {$…}; a dollar sign itself is written $$");
        }
        literal_ += '$';
        ++at_;
        return {};
    }

    std::expected<void, ExpressionError> braced() {
        const std::size_t close = source_.find('}', at_);
        if (close == std::string_view::npos) return error("the '{' before this expression is never closed", "add a '}'");
        literal_.pop_back();  // the '{'
        if (auto added = add_expression(at_, close); !added) return added;
        at_ = close + 1;
        return {};
    }

    std::expected<void, ExpressionError> add_expression(std::size_t start, std::size_t end) {
        auto expression = parse_expression(source_.substr(start, end - start));
        if (!expression) {
            expression.error().offset += start;
            return std::unexpected(std::move(expression.error()));
        }
        flush_literal();
        expression->offset = start;
        result_.parts.push_back({true, "", std::move(*expression)});
        return {};
    }

    void flush_literal() {
        if (!literal_.empty()) result_.parts.push_back({false, std::move(literal_), {}});
        literal_.clear();
    }

    std::unexpected<ExpressionError> error(std::string what, std::string advice) const {
        return std::unexpected(ExpressionError{std::move(what), at_, std::move(advice)});
    }

    std::string_view source_;
    std::size_t at_ = 0;
    std::string literal_;
    Template result_;
};

}  // namespace

bool Template::is_constant() const {
    return std::ranges::none_of(parts, [](const Part& part) { return part.is_expression; });
}

std::expected<Template, ExpressionError> parse_template(std::string_view source) { return TemplateParser(source).parse(); }

}  // namespace lockstep
