#pragma once
// Reading the strings that hold expressions. Every expression is noted down with its surroundings, so that references can
// be checked once the whole file is known.

#include "job/fields.hpp"

namespace lockstep {

/// What stands around an expression, and so what it may refer to.
struct Surroundings {
    enum class Role : std::uint8_t { item_key, job_key, items_source, phase, notice };
    enum class AnswerOf : std::uint8_t { nothing, http, command };  ///< nothing: no answer exists yet
    Role role = Role::phase;
    AnswerOf answer = AnswerOf::nothing;
    bool secrets_allowed = false;  ///< headers and environment
    std::size_t step = 0;          ///< Role::phase
    PhaseName phase = PhaseName::first;

    Surroundings with_secrets() const;
    Surroundings with_answer(const ActionSpec& action) const;
};

struct ExpressionUse {
    Expression expression;
    Place place;
    Surroundings around;
};

/// A job file on its way to a JobSpec.
struct Reading {
    Findings findings;
    std::string directory;  ///< absolute
    std::vector<ExpressionUse> uses{};
    bool budget_known = true;  ///< no duration that decides about the longest pair was wrong
};

enum class Lines : std::uint8_t {
    any,
    one,  ///< headers and arguments: no CR, LF or NUL
};

std::optional<Template> read_template(Reading& reading, const std::optional<Place>& at, const Surroundings& around,
                                      Lines lines = Lines::any);
/// A template, or a number, true or false, which stand for their text.
std::optional<Template> read_scalar(Reading& reading, const Place& at, const Surroundings& around, Lines lines);
/// {"name": "template", …}, each value as read_scalar reads it. `good_name` says what is wrong with a name, or "".
std::vector<NamedTemplate> read_named(Reading& reading, const std::optional<Place>& at, const Surroundings& around, Lines lines,
                                      std::string (*good_name)(std::string_view name));
std::optional<Condition> read_condition(Reading& reading, const std::optional<Place>& at, const Surroundings& around);
std::optional<Expression> read_expression(Reading& reading, const std::optional<Place>& at, const Surroundings& around);
/// Outputs are templates with names that expressions can say.
std::vector<NamedTemplate> read_outputs(Reading& reading, const std::optional<Place>& at, const Surroundings& around);
/// Every string inside is a template.
void read_body_texts(Reading& reading, const Place& at, const Surroundings& around);

std::string any_name(std::string_view name);

}  // namespace lockstep
