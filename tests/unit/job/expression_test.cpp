#include "job/expression.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;
using Kind = Expression::Kind;

namespace {

Expression parsed(std::string_view source) {
    INFO(source);
    auto expression = parse_expression(source);
    REQUIRE(expression.has_value());
    CHECK(expression->source == source);
    return std::move(*expression);
}

ExpressionError wrong(std::string_view source) {
    INFO(source);
    auto expression = parse_expression(source);
    REQUIRE_FALSE(expression.has_value());
    CHECK(expression.error().offset <= source.size());
    return expression.error();
}

Json json(std::string_view text) { return parse_json(text).value(); }

std::string shown(std::string_view source, const Scope& scope) {
    const auto value = evaluate(parsed(source), scope);
    return value ? to_text(*value) : "missing";
}

}  // namespace

TEST_CASE("every kind of expression is read", "[expression]") {
    CHECK(parsed("$inputs.order-Id_2").name == "order-Id_2");
    CHECK(parsed("$inputs.a#/b/0").pointer == "/b/0");
    CHECK(parsed("$params._x").kind == Kind::params);
    CHECK(parsed("$run.id").kind == Kind::run_id);
    CHECK(parsed("$run.date").kind == Kind::run_date);
    CHECK(parsed("$secrets.token").kind == Kind::secrets);
    CHECK(parsed("$idempotencyKey").kind == Kind::idempotency_key);
    CHECK(parsed("$statusCode").kind == Kind::status_code);
    CHECK_FALSE(parsed("$response.body").has_pointer);
    CHECK(parsed("$response.body#").has_pointer);
    CHECK(parsed("$response.body#/a b/}/ä").pointer == "/a b/}/ä");
    CHECK(parsed("$response.header.X-Request-Id").name == "X-Request-Id");
    CHECK(parsed("$exitStatus").kind == Kind::exit_status);
    CHECK_FALSE(parsed("$stdout").has_pointer);
    CHECK(parsed("$stdout#/a~0b~1c").pointer == "/a~0b~1c");
    const Expression output = parsed("$steps.reserve-it.second.outputs.rid#/x");
    CHECK(output.kind == Kind::step_output);
    CHECK(output.step == "reserve-it");
    CHECK(output.phase == PhaseName::second);
    CHECK(output.name == "rid");
    CHECK(output.pointer == "/x");
}

TEST_CASE("what is no expression is refused where it goes wrong", "[expression]") {
    CHECK(wrong("inputs.a").offset == 0);
    CHECK(wrong("$").what == "\"$\" is not an expression");
    CHECK(wrong("$input.a").advice == "did you mean \"$inputs\"?");
    CHECK(wrong("$inputs").offset == 7);
    CHECK(wrong("$inputs.").offset == 8);
    CHECK(wrong("$inputs.1a").offset == 8);
    CHECK(wrong("$inputs.a.b").offset == 9);
    CHECK(wrong("$inputs.a b").advice == "inside a longer text an expression stands in braces: {$inputs.a}");
    CHECK(wrong("$params.a#/b").offset == 9);
    CHECK(wrong("$run").what == "$run needs .id or .date behind it");
    CHECK(wrong("$run.dat").advice == "did you mean \"date\"?");
    CHECK(wrong("$statusCode.x").offset == 11);
    CHECK(wrong("$response.bdy").offset == 10);
    CHECK(wrong("$response.header").offset == 16);
    CHECK(wrong("$response.body#x").advice == "write #/x");
    CHECK(wrong("$response.body#/a~").offset == 17);
    CHECK(wrong("$response.body#/~2").offset == 16);
    CHECK(wrong("$steps.a").offset == 8);
    CHECK(wrong("$steps.a.third.outputs.x").offset == 9);
    CHECK(wrong("$steps.a.compensate.outputs.x").offset == 9);
    CHECK(wrong("$steps.a.first.output.x").advice == "did you mean \"outputs\"?");
    CHECK(wrong("$steps.a.first.outputs").offset == 22);
    CHECK(wrong("$Inputs.a").advice == "did you mean \"$inputs\"?");
}

TEST_CASE("values keep their JSON type and their source text", "[expression]") {
    const Json inputs =
        json(R"({"price": 1.10, "big": 12345678901234567890123, "none": null, "yes": true, "a": {"b/c": [{"~d": "x"}]}})");
    const Json params = json(R"({"limit": 1e2})");
    const Scope scope{.inputs = &inputs, .params = &params, .run_id = "r1", .run_date = "2026-11-23", .idempotency_key = "k"};
    CHECK(shown("$inputs.price", scope) == "1.10");
    CHECK(shown("$inputs.big", scope) == "12345678901234567890123");
    CHECK(shown("$inputs.none", scope) == "null");
    CHECK(shown("$inputs.yes", scope) == "true");
    CHECK(shown("$inputs.a#/b~1c/0/~0d", scope) == "\"x\"");
    CHECK(shown("$inputs.a#/b~1c/1", scope) == "missing");
    CHECK(shown("$inputs.price#/x", scope) == "missing");
    CHECK(shown("$inputs.other", scope) == "missing");
    CHECK(shown("$params.limit", scope) == "1e2");
    CHECK(shown("$run.id", scope) == "\"r1\"");
    CHECK(shown("$run.date", scope) == "\"2026-11-23\"");
    CHECK(shown("$idempotencyKey", scope) == "\"k\"");
}

TEST_CASE("in an empty scope everything is missing, and nothing crashes", "[expression]") {
    for (const char* source :
         {"$inputs.a", "$inputs.a#/b", "$params.a", "$secrets.a", "$statusCode", "$response.body", "$response.body#/a",
          "$response.header.A", "$steps.a.first.outputs.b", "$exitStatus", "$stdout", "$stdout#/a"}) {
        CHECK(shown(source, Scope{}) == "missing");
    }
}

TEST_CASE("an HTTP answer is looked into", "[expression]") {
    Answer answer;
    answer.status_code = 201;
    answer.headers = {{"X-Id", "7"}, {"Set-Cookie", "a=1"}, {"set-cookie", "b=2"}};
    answer.body = R"({"id": 7.0, "": {"x": []}})";
    const Scope scope{.answer = &answer};
    CHECK(shown("$statusCode", scope) == "201");
    CHECK(shown("$response.header.x-ID", scope) == "\"7\"");
    CHECK(shown("$response.header.Set-Cookie", scope) == "\"a=1, b=2\"");
    CHECK(shown("$response.header.None", scope) == "missing");
    CHECK(shown("$response.body#/id", scope) == "7.0");
    CHECK(shown("$response.body#//x", scope) == "[]");
    CHECK(shown("$response.body", scope) == R"({"id":7.0,"":{"x":[]}})");
    CHECK(shown("$exitStatus", scope) == "missing");
}

TEST_CASE("an answer that is not JSON is a text without anything inside", "[expression]") {
    Answer answer;
    answer.body = "<html>";
    const Scope scope{.answer = &answer};
    CHECK(shown("$response.body", scope) == "\"<html>\"");
    CHECK(shown("$response.body#", scope) == "missing");
    CHECK(shown("$response.body#/a", scope) == "missing");
    CHECK(answer.body_json() == nullptr);
}

TEST_CASE("stdout is a text without its last newline, and JSON behind a '#'", "[expression]") {
    Answer answer;
    answer.exit_status = 3;
    answer.body = "{\"a\": 1}\n\n";
    const Scope scope{.answer = &answer};
    CHECK(shown("$stdout", scope) == R"("{\"a\": 1}\n")");
    CHECK(shown("$stdout#/a", scope) == "1");
    CHECK(shown("$stdout#", scope) == R"({"a":1})");
    CHECK(shown("$exitStatus", scope) == "3");
}

TEST_CASE("outputs are found by step and phase", "[expression]") {
    StepOutputs outputs;
    outputs.by_phase[{"s", PhaseName::first}] = json(R"({"a": {"b": 1}})");
    const Scope scope{.outputs = &outputs};
    CHECK(shown("$steps.s.first.outputs.a", scope) == R"({"b":1})");
    CHECK(shown("$steps.s.first.outputs.a#/b", scope) == "1");
    CHECK(shown("$steps.s.second.outputs.a", scope) == "missing");
    CHECK(shown("$steps.t.first.outputs.a", scope) == "missing");
}
