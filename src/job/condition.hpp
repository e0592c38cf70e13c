#pragma once
// Conditions: `success`, `refused`, `notApplied`, `applied`, `absent`.
//
//   or      = and *( "||" and )
//   and     = unary *( "&&" unary )
//   unary   = "!" unary / compare
//   compare = operand [ ( "==" / "!=" / "<" / "<=" / ">" / ">=" ) operand ]
//   operand = expression / "'" text "'" / number / "true" / "false" / "null" / "(" or ")"
//
// A missing value equals only null; values of different types are unequal, and comparing them by < is an error. A bare
// operand must be a boolean. An error makes the whole condition "not proven".

#include <memory>
#include <string>
#include <vector>

#include "job/expression.hpp"

namespace lockstep {

struct ConditionNode;

class Condition {
  public:
    static std::expected<Condition, ExpressionError> parse(std::string_view source);

    Condition(const Condition&);
    Condition(Condition&&) noexcept;
    Condition& operator=(const Condition&);
    Condition& operator=(Condition&&) noexcept;
    ~Condition();

    /// true or false; Error (its text says which comparison) where that cannot be proven.
    Result<bool> evaluate(const Scope& scope) const;
    /// True only if proven true.
    bool holds(const Scope& scope) const { return evaluate(scope).value_or(false); }

    const std::string& source() const { return source_; }
    /// All expressions in it, for the checker.
    std::vector<const Expression*> expressions() const;

  private:
    Condition();
    std::string source_;
    std::shared_ptr<const ConditionNode> root_;  // immutable once parsed, so copies may share it
};

}  // namespace lockstep
