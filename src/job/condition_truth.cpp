// What a condition comes to.

#include "base/text.hpp"
#include "job/condition_node.hpp"

namespace lockstep {

namespace {

using Op = ConditionNode::Op;

Result<std::optional<Json>> value_of(const ConditionNode& node, const Scope& scope) {
    if (node.op == Op::literal) return node.value;
    if (node.op == Op::expression) return evaluate(node.expression, scope);
    const Result<bool> truth = truth_of(node, scope);
    if (!truth) return std::unexpected(truth.error());
    return Json::of_boolean(*truth);
}

std::string shown(const ConditionNode& node) {
    if (node.op == Op::expression) return node.expression.source;
    if (node.op == Op::literal)
        return node.value.is_string() ? "'" + printable(node.value.text, 40) + "'" : to_text(node.value);
    return "(…)";
}

std::string_view type_of(const std::optional<Json>& value) {
    if (!value) return "missing";
    switch (value->type) {
        case Json::Type::null: return "null";
        case Json::Type::boolean: return "a boolean";
        case Json::Type::number: return "a number";
        case Json::Type::string: return "a text";
        case Json::Type::array: return "an array";
        case Json::Type::object: return "an object";
    }
    return "";
}

/// A missing value equals null only, so not even another missing one: two absences prove nothing.
bool same(const std::optional<Json>& a, const std::optional<Json>& b) {
    if (!a) return b && b->is_null();
    if (!b) return a->is_null();
    return equal(*a, *b);
}

Result<bool> ordered(const ConditionNode& node, const std::optional<Json>& a, const std::optional<Json>& b) {
    const bool numbers = a && b && a->is_number() && b->is_number();
    const bool texts = a && b && a->is_string() && b->is_string();
    if (!numbers && !texts) {
        return fail(Failure::items, shown(node.children[0]) + " (" + std::string(type_of(a)) + ") and " +
                                        shown(node.children[1]) + " (" + std::string(type_of(b)) + ") have no order");
    }
    const int order = numbers ? compare_numbers(a->text, b->text) : a->text.compare(b->text);
    switch (node.op) {
        case Op::less: return order < 0;
        case Op::at_most: return order <= 0;
        case Op::more: return order > 0;
        default: return order >= 0;
    }
}

Result<bool> compare(const ConditionNode& node, const Scope& scope) {
    const auto a = value_of(node.children[0], scope);
    if (!a) return std::unexpected(a.error());
    const auto b = value_of(node.children[1], scope);
    if (!b) return std::unexpected(b.error());
    if (node.op == Op::equal) return same(*a, *b);
    if (node.op == Op::not_equal) return !same(*a, *b);
    return ordered(node, *a, *b);
}

Result<bool> bare(const ConditionNode& node, const Scope& scope) {
    const auto value = value_of(node, scope);
    if (!value) return std::unexpected(value.error());
    if (*value && (*value)->is_boolean()) return (*value)->boolean;
    return fail(Failure::items, shown(node) + " is " + std::string(type_of(*value)) + ", not true or false");
}

}  // namespace

Result<bool> truth_of(const ConditionNode& node, const Scope& scope) {
    switch (node.op) {
        case Op::expression:
        case Op::literal: return bare(node, scope);
        case Op::negation: {
            const Result<bool> inner = truth_of(node.children[0], scope);
            return inner ? Result<bool>(!*inner) : inner;
        }
        case Op::both:
        case Op::either: {
            // What stands further right is looked at only if it still decides: `$x != null && $x > 3` is no error without x.
            for (const ConditionNode& child : node.children) {
                const Result<bool> truth = truth_of(child, scope);
                if (!truth || *truth == (node.op == Op::either)) return truth;
            }
            return node.op == Op::both;
        }
        default: return compare(node, scope);
    }
}

}  // namespace lockstep
