// Conditions: a recursive descent over the grammar in the header, and the evaluation of its tree.

#include "job/condition.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "job/condition_node.hpp"

namespace lockstep {

namespace {

using Op = ConditionNode::Op;
using Parsed = std::expected<ConditionNode, ExpressionError>;

constexpr int kDeepest = 100;

struct Symbol {
    std::string_view text;
    Op op;
};
// Longer ones first: "<=" before "<".
constexpr std::array<Symbol, 6> kComparisons = {
    {{"==", Op::equal}, {"!=", Op::not_equal}, {"<=", Op::at_most}, {">=", Op::at_least}, {"<", Op::less}, {">", Op::more}}};

class ConditionParser {
  public:
    explicit ConditionParser(std::string_view source) : source_(source) {}

    Parsed parse() {
        Parsed tree = disjunction();
        if (!tree) return tree;
        skip_space();
        if (at_ < source_.size()) return unexpected_text("&&, || or the end belongs");
        if (const ConditionNode* value = bare_value(*tree)) {
            at_ = value->offset;
            const std::string text = value->op == Op::literal ? printable(to_text(value->value)) : value->expression.source;
            return error(text + " is a value, not a condition", "compare it with something, as in $statusCode == 200");
        }
        return tree;
    }

  private:
    static bool is_never_boolean(const Expression& expression) {
        using Kind = Expression::Kind;
        return expression.kind == Kind::status_code || expression.kind == Kind::exit_status ||
               expression.kind == Kind::response_header;
    }

    /// A number, text or null that is to be true or false by itself, which it never is.
    static const ConditionNode* bare_value(const ConditionNode& node) {
        if (node.op == Op::expression) return is_never_boolean(node.expression) ? &node : nullptr;
        if (node.op == Op::literal) return node.value.is_boolean() ? nullptr : &node;
        if (node.op != Op::negation && node.op != Op::both && node.op != Op::either) return nullptr;
        for (const ConditionNode& child : node.children) {
            if (const ConditionNode* found = bare_value(child)) return found;
        }
        return nullptr;
    }

    Parsed disjunction() { return chain("||", Op::either, &ConditionParser::conjunction); }
    Parsed conjunction() { return chain("&&", Op::both, &ConditionParser::unary); }

    Parsed chain(std::string_view symbol, Op op, Parsed (ConditionParser::*part)()) {
        Parsed only = (this->*part)();
        if (!only || !accept(symbol)) return only;
        ConditionNode all{op, {}, {}, {std::move(*only)}};
        do {
            Parsed next = (this->*part)();
            if (!next) return next;
            all.children.push_back(std::move(*next));
        } while (accept(symbol));
        return all;
    }

    Parsed unary() {
        skip_space();
        if (!rest().starts_with('!') || rest().starts_with("!=")) return comparison();
        ++at_;
        if (++depth_ > kDeepest) return error("this condition is nested too deeply");
        Parsed inner = unary();
        --depth_;
        if (!inner) return inner;
        return ConditionNode{Op::negation, {}, {}, {std::move(*inner)}};
    }

    Parsed comparison() {
        Parsed left = operand();
        if (!left) return left;
        for (const Symbol& symbol : kComparisons) {
            if (!accept(symbol.text)) continue;
            Parsed right = operand();
            if (!right) return right;
            return ConditionNode{symbol.op, {}, {}, {std::move(*left), std::move(*right)}};
        }
        return left;
    }

    Parsed operand() {
        skip_space();
        if (at_ == source_.size()) return error("the condition ends where a value belongs");
        const char c = source_[at_];
        if (c == '$') return expression();
        if (c == '\'') return text();
        if (c == '(') return parenthesis();
        if (c == '-' || (c >= '0' && c <= '9')) return number();
        for (const std::string_view word : {"true", "false", "null"}) {
            if (take_word(word)) return literal(word == "null" ? Json{} : Json::of_boolean(word == "true"), at_ - word.size());
        }
        if (c == '"') return error("a text in a condition stands in single quotes", "write '…'");
        return unexpected_text("a value belongs");
    }

    Parsed parenthesis() {
        if (++depth_ > kDeepest) return error("this condition is nested too deeply");
        const std::size_t open = at_++;
        Parsed inner = disjunction();
        --depth_;
        if (!inner || accept(")")) return inner;
        if (at_ < source_.size()) return unexpected_text("&&, || or ')' belongs");
        at_ = open;
        return error("this '(' is never closed", "add a ')'");
    }

    Parsed expression() {
        const std::size_t start = at_;
        const auto in_name = [](char c) {
            return is_name(std::string_view(&c, 1)) || (c >= '0' && c <= '9') || c == '-' || c == '.';
        };
        ++at_;
        while (at_ < source_.size() && in_name(source_[at_])) ++at_;
        if (rest().starts_with('#')) at_ = std::min(source_.find_first_of(" \t\r\n()&|=!<>'", at_), source_.size());
        auto parsed = parse_expression(source_.substr(start, at_ - start));
        if (!parsed) {
            parsed.error().offset += start;
            return std::unexpected(std::move(parsed.error()));
        }
        parsed->offset = start;
        return ConditionNode{Op::expression, std::move(*parsed), {}, {}, start};
    }

    /// 'text', a quote inside it doubled.
    Parsed text() {
        const std::size_t open = at_++;
        std::string value;
        while (at_ < source_.size()) {
            if (rest().starts_with("''")) {
                value += '\'';
                at_ += 2;
            } else if (source_[at_] == '\'') {
                ++at_;
                return literal(Json::of_string(std::move(value)), open);
            } else {
                value += source_[at_++];
            }
        }
        at_ = open;
        return error("this text is never closed", "add a '; a quote inside a text is doubled: ''");
    }

    Parsed number() {
        const std::size_t start = at_;
        at_ = std::min(source_.find_first_not_of("+-.0123456789eE", at_), source_.size());
        const std::string_view digits = source_.substr(start, at_ - start);
        auto value = parse_json(digits);
        if (value && value->is_number()) return literal(Json::of_number_text(value->text), start);
        at_ = start;
        return error('"' + printable(digits) + "\" is not a number");
    }

    static Parsed literal(Json value, std::size_t offset) {
        return ConditionNode{Op::literal, {}, std::move(value), {}, offset};
    }

    bool accept(std::string_view symbol) {
        skip_space();
        if (!rest().starts_with(symbol)) return false;
        at_ += symbol.size();
        return true;
    }

    bool take_word(std::string_view word) {
        if (!rest().starts_with(word)) return false;
        if (at_ + word.size() < source_.size() && is_name("a" + std::string(1, source_[at_ + word.size()]))) return false;
        at_ += word.size();
        return true;
    }

    void skip_space() { at_ = std::min(source_.find_first_not_of(" \t\r\n", at_), source_.size()); }
    std::string_view rest() const { return source_.substr(at_); }

    std::unexpected<ExpressionError> unexpected_text(std::string_view wanted) const {
        const std::string_view left = rest();
        std::string_view advice;
        if (left.starts_with('=')) advice = "equality is written ==";
        if (left.starts_with('&') || left.starts_with("and ") || left.starts_with("AND ")) advice = "\"and\" is written &&";
        if (left.starts_with('|') || left.starts_with("or ") || left.starts_with("OR ")) advice = "\"or\" is written ||";
        if (left.starts_with("not ") || left.starts_with("NOT ")) advice = "\"not\" is written !";
        const bool word = is_name(left.substr(0, 1));
        if (advice.empty() && word) advice = "an expression begins with '$', a text stands in single quotes";
        return error('"' + printable(left, 30) + "\" where " + std::string(wanted), std::string(advice));
    }

    std::unexpected<ExpressionError> error(std::string what, std::string advice = "") const {
        return std::unexpected(ExpressionError{std::move(what), at_, std::move(advice)});
    }

    std::string_view source_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

void collect(const ConditionNode& node, std::vector<const Expression*>& out) {
    if (node.op == Op::expression) out.push_back(&node.expression);
    for (const ConditionNode& child : node.children) collect(child, out);
}

}  // namespace

Condition::Condition() = default;
Condition::Condition(const Condition&) = default;
Condition::Condition(Condition&&) noexcept = default;
Condition& Condition::operator=(const Condition&) = default;
Condition& Condition::operator=(Condition&&) noexcept = default;
Condition::~Condition() = default;

std::expected<Condition, ExpressionError> Condition::parse(std::string_view source) {
    auto tree = ConditionParser(source).parse();
    if (!tree) return std::unexpected(std::move(tree.error()));
    Condition condition;
    condition.source_ = source;
    condition.root_ = std::make_shared<const ConditionNode>(std::move(*tree));
    return condition;
}

Result<bool> Condition::evaluate(const Scope& scope) const { return truth_of(*root_, scope); }

std::vector<const Expression*> Condition::expressions() const {
    std::vector<const Expression*> out;
    collect(*root_, out);
    return out;
}

}  // namespace lockstep
