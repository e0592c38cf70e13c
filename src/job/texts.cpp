#include "job/texts.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace lockstep {

Surroundings Surroundings::with_secrets() const {
    Surroundings copy = *this;
    copy.secrets_allowed = true;
    return copy;
}

Surroundings Surroundings::with_answer(const ActionSpec& action) const {
    Surroundings copy = *this;
    copy.answer = std::holds_alternative<HttpSpec>(action) ? AnswerOf::http : AnswerOf::command;
    return copy;
}

namespace {

void report(Reading& reading, const Place& at, const ExpressionError& error) {
    reading.findings.add_in_string(at, error.offset, error.what, error.advice);
}

void check_one_line(Reading& reading, const Place& at, const Template& text) {
    for (const Template::Part& part : text.parts) {
        if (part.literal.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos) continue;
        reading.findings.add(at, "a line break or NUL cannot stand in a header or an argument",
                             "leave it out; a longer script belongs in a file");
        return;
    }
}

}  // namespace

std::optional<Template> read_template(Reading& reading, const std::optional<Place>& at, const Surroundings& around,
                                      Lines lines) {
    const std::optional<std::string> source = read_text(reading.findings, at);
    if (!source) return std::nullopt;
    auto text = parse_template(*source);
    if (!text) {
        report(reading, *at, text.error());
        return std::nullopt;
    }
    if (lines == Lines::one) check_one_line(reading, *at, *text);
    for (const Template::Part& part : text->parts) {
        if (part.is_expression) reading.uses.push_back({part.expression, *at, around});
    }
    return std::move(*text);
}

std::optional<Template> read_scalar(Reading& reading, const Place& at, const Surroundings& around, Lines lines) {
    if (!at.json->is_number() && !at.json->is_boolean()) return read_template(reading, at, around, lines);
    Template constant;
    constant.source = to_plain_text(*at.json);
    constant.parts.push_back({false, constant.source, {}});
    return constant;
}

std::vector<NamedTemplate> read_named(Reading& reading, const std::optional<Place>& at, const Surroundings& around, Lines lines,
                                      std::string (*good_name)(std::string_view name)) {
    std::vector<NamedTemplate> out;
    if (!at || !expect_type(reading.findings, *at, Json::Type::object)) return out;
    for (const JsonMember& member : at->json->members) {
        if (is_comment(reading.findings, *at, member)) continue;
        const Place place = at->member(member);
        if (std::string wrong = good_name(member.key); !wrong.empty()) {
            reading.findings.add_at(member.key_offset, place.pointer, in_quotes(member.key) + " " + wrong);
        }
        if (auto text = read_scalar(reading, place, around, lines)) out.push_back({member.key, std::move(*text)});
    }
    return out;
}

std::optional<Condition> read_condition(Reading& reading, const std::optional<Place>& at, const Surroundings& around) {
    const std::optional<std::string> source = read_text(reading.findings, at);
    if (!source) return std::nullopt;
    auto condition = Condition::parse(*source);
    if (!condition) {
        report(reading, *at, condition.error());
        return std::nullopt;
    }
    for (const Expression* expression : condition->expressions()) reading.uses.push_back({*expression, *at, around});
    return std::move(*condition);
}

std::optional<Expression> read_expression(Reading& reading, const std::optional<Place>& at, const Surroundings& around) {
    const std::optional<std::string> source = read_text(reading.findings, at);
    if (!source) return std::nullopt;
    auto expression = parse_expression(*source);
    if (!expression) {
        report(reading, *at, expression.error());
        return std::nullopt;
    }
    reading.uses.push_back({*expression, *at, around});
    return std::move(*expression);
}

std::vector<NamedTemplate> read_outputs(Reading& reading, const std::optional<Place>& at, const Surroundings& around) {
    return read_named(reading, at, around, Lines::any, [](std::string_view name) {
        return std::string(is_name(name) ? "" : "is not a name for an output: use letters, digits, '_' and '-'");
    });
}

void read_body_texts(Reading& reading, const Place& at, const Surroundings& around) {
    if (at.json->is_string()) read_template(reading, at, around);
    for (std::size_t i = 0; i < at.json->elements.size(); ++i) read_body_texts(reading, at.element(i), around);
    for (const JsonMember& member : at.json->members) read_body_texts(reading, at.member(member), around);
}

std::string any_name(std::string_view name) { return name.empty() ? "is not a name" : ""; }

}  // namespace lockstep
