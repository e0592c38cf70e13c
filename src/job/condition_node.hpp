#pragma once
// The tree of a condition: inside this room only.

#include <vector>

#include "job/expression.hpp"

namespace lockstep {

struct ConditionNode {
    enum class Op : std::uint8_t {
        expression,
        literal,
        negation,
        both,
        either,
        equal,
        not_equal,
        less,
        at_most,
        more,
        at_least
    };
    Op op = Op::literal;
    Expression expression;                ///< Op::expression
    Json value;                           ///< Op::literal
    std::vector<ConditionNode> children;  ///< one for a negation, two for a comparison, two or more for && and ||
    std::size_t offset = 0;               ///< of an expression or a literal: where it begins in the source
};

/// The node as a condition: true or false, or the comparison that could not be made.
Result<bool> truth_of(const ConditionNode& node, const Scope& scope);

}  // namespace lockstep
