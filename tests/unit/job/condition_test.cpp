#include "job/condition.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;

namespace {

struct Fixture {
    Json inputs =
        parse_json(
            R"({"n": 10, "m": 9, "dec": 10.0, "s": "abc", "q": "it's", "num": "10", "yes": true, "no": false, "null": null,
                                 "u": "ä😀", "list": [1, 2], "same": [1.0, 2], "o": {"a/b": {"~": 7}}})")
            .value();
    Scope scope{.inputs = &inputs};

    /// "true", "false" or the error's text.
    std::string truth(std::string_view source) const {
        INFO(source);
        const auto condition = Condition::parse(source);
        REQUIRE(condition.has_value());
        CHECK(condition->source() == source);
        const auto result = condition->evaluate(scope);
        CHECK(condition->holds(scope) == (result.has_value() && *result));
        return !result ? result.error().text : *result ? "true" : "false";
    }
};

ExpressionError wrong(std::string_view source) {
    INFO(source);
    const auto condition = Condition::parse(source);
    REQUIRE_FALSE(condition.has_value());
    CHECK(condition.error().offset <= source.size());
    return condition.error();
}

}  // namespace

TEST_CASE("numbers are compared by value, texts by their bytes", "[condition]") {
    const Fixture f;
    for (const char* yes : {"$inputs.n == 10",
                            "$inputs.n == 1e1",
                            "$inputs.n == $inputs.dec",
                            "$inputs.n > $inputs.m",
                            "$inputs.m < 10",
                            "$inputs.n >= 10",
                            "$inputs.n <= 10.0",
                            "$inputs.n != 11",
                            "-1 < 0",
                            "$inputs.s == 'abc'",
                            "$inputs.s < 'abd'",
                            "$inputs.s > 'ABC'",
                            "$inputs.s != 'ABC'",
                            "$inputs.u == 'ä😀'",
                            "'' == ''",
                            "'a' < 'b'",
                            "1<2",
                            "$inputs.n==10&&$inputs.m==9",
                            "$inputs.list == $inputs.same",
                            "$inputs.o#/a~1b/~0 == 7"}) {
        CHECK(f.truth(yes) == "true");
    }
    for (const char* no : {"$inputs.n < 9", "$inputs.n == 11", "$inputs.s == 'abcd'", "$inputs.list != $inputs.same"})
        CHECK(f.truth(no) == "false");
}

TEST_CASE("values of different types are unequal, and have no order", "[condition]") {
    const Fixture f;
    CHECK(f.truth("$inputs.n == '10'") == "false");
    CHECK(f.truth("$inputs.num == 10") == "false");
    CHECK(f.truth("$inputs.num != 10") == "true");
    CHECK(f.truth("$inputs.yes == 'true'") == "false");
    CHECK(f.truth("$inputs.null == false") == "false");
    CHECK(f.truth("$inputs.num < 11") == "$inputs.num (a text) and 11 (a number) have no order");
    CHECK(f.truth("true < false") == "true (a boolean) and false (a boolean) have no order");
    CHECK(f.truth("$inputs.list < $inputs.same") == "$inputs.list (an array) and $inputs.same (an array) have no order");
    CHECK(f.truth("null <= null") == "null (null) and null (null) have no order");
}

TEST_CASE("a missing value equals null only", "[condition]") {
    const Fixture f;
    CHECK(f.truth("$inputs.none == null") == "true");
    CHECK(f.truth("null == $inputs.none") == "true");
    CHECK(f.truth("$inputs.none == $inputs.null") == "true");
    CHECK(f.truth("$inputs.none != null") == "false");
    CHECK(f.truth("$inputs.null == null") == "true");
    CHECK(f.truth("$inputs.none == $inputs.gone") == "false");
    CHECK(f.truth("$inputs.none == ''") == "false");
    CHECK(f.truth("$inputs.none == false") == "false");
    CHECK(f.truth("$inputs.none < 1") == "$inputs.none (missing) and 1 (a number) have no order");
}

TEST_CASE("a bare value must be true or false", "[condition]") {
    const Fixture f;
    CHECK(f.truth("true") == "true");
    CHECK(f.truth("$inputs.no") == "false");
    CHECK(f.truth("$inputs.n") == "$inputs.n is a number, not true or false");
    CHECK(f.truth("$inputs.none") == "$inputs.none is missing, not true or false");
    // What can be told from the condition alone is told when it is read.
    CHECK(wrong("!'a'").offset == 1);
    CHECK(wrong("$inputs.yes && (null)").offset == 16);
    CHECK_THAT(wrong("1").what, Catch::Matchers::Contains("a value, not a condition"));
    CHECK(wrong("$inputs.yes || $statusCode").offset == 15);
    CHECK_THAT(wrong("!$exitStatus").what, Catch::Matchers::Contains("$exitStatus is a value, not a condition"));
    CHECK_THAT(wrong("$response.header.etag").what, Catch::Matchers::Contains("a value, not a condition"));
}

TEST_CASE("'!' takes the whole comparison, '&&' binds closer than '||'", "[condition]") {
    const Fixture f;
    CHECK(f.truth("!$inputs.n == 11") == "true");  // !(n == 11), not (!n) == 11
    CHECK(f.truth("!$inputs.n == 10") == "false");
    CHECK(f.truth("!!$inputs.yes") == "true");
    CHECK(f.truth("! ! !$inputs.yes") == "false");
    CHECK(f.truth("!$inputs.no && $inputs.no") == "false");
    CHECK(f.truth("!($inputs.no && $inputs.no)") == "true");
    CHECK(f.truth("true || false && false") == "true");
    CHECK(f.truth("(true || false) && false") == "false");
    CHECK(f.truth("false && true || true") == "true");
    CHECK(f.truth("false || false || true") == "true");
    CHECK(f.truth("($inputs.n > 5) == true") == "true");
    CHECK(f.truth("true == (1 > 2)") == "false");
    CHECK(f.truth("(($inputs.n)) == 10") == "true");
}

TEST_CASE("the right side counts only where it still decides; an error before that proves nothing", "[condition]") {
    const Fixture f;
    CHECK(f.truth("$inputs.none != null && $inputs.none > 3") == "false");
    CHECK(f.truth("$inputs.none == null || $inputs.none > 3") == "true");
    CHECK(f.truth("$inputs.none > 3 || true").find("have no order") != std::string::npos);
    CHECK(f.truth("!($inputs.none > 3)").find("have no order") != std::string::npos);
    CHECK(f.truth("($inputs.none > 3) == false").find("have no order") != std::string::npos);
}

TEST_CASE("a quote inside a text is doubled", "[condition]") {
    const Fixture f;
    CHECK(f.truth("$inputs.q == 'it''s'") == "true");
    CHECK(f.truth("'''' == ''''") == "true");
    CHECK(f.truth("'&& || \" \\ $inputs.n (' != ''") == "true");
}

TEST_CASE("a pointer ends where an operator begins", "[condition]") {
    const auto condition = Condition::parse("$response.body#/a~1b/0!=null&&($stdout#/x==1||$inputs.a#/ü<2)");
    REQUIRE(condition.has_value());
    const auto expressions = condition->expressions();
    REQUIRE(expressions.size() == 3);
    CHECK(expressions[0]->pointer == "/a~1b/0");
    CHECK(expressions[0]->offset == 0);
    CHECK(expressions[1]->pointer == "/x");
    CHECK(expressions[1]->offset == 31);
    CHECK(expressions[2]->pointer == "/ü");
}

TEST_CASE("what is no condition is refused where it goes wrong", "[condition]") {
    CHECK(wrong("").offset == 0);
    CHECK(wrong("  ").offset == 2);
    CHECK(wrong("$statusCode = 1").advice == "equality is written ==");
    CHECK(wrong("$statusCode == 1 and true").advice == "\"and\" is written &&");
    CHECK(wrong("true & true").advice == "\"and\" is written &&");
    CHECK(wrong("true or true").advice == "\"or\" is written ||");
    CHECK(wrong("not true").advice == "\"not\" is written !");
    CHECK(wrong("$statusCode == \"1\"").advice == "write '…'");
    CHECK(wrong("$statusCode == ok").offset == 15);
    CHECK(wrong("1 < 2 < 3").offset == 6);
    CHECK(wrong("1 ==").offset == 4);
    CHECK(wrong("(true").offset == 0);
    CHECK(wrong("(true 1").offset == 6);
    CHECK(wrong("true)").offset == 4);
    CHECK(wrong("'open").offset == 0);
    CHECK(wrong("01 == 1").offset == 0);
    CHECK(wrong("1. == 1").offset == 0);
    CHECK(wrong("$inptus.a == 1").advice == "did you mean \"$inputs\"?");
    CHECK(wrong("true && $inputs.").offset == 16);
    CHECK(wrong("truex").offset == 0);
    CHECK(wrong("{$statusCode} == 1").offset == 0);
    CHECK(wrong("$statusCode == 200 201").offset == 19);
}

TEST_CASE("nesting is bounded, a long chain is not", "[condition]") {
    CHECK(wrong(std::string(100'000, '(')).what == "this condition is nested too deeply");
    CHECK(wrong(std::string(100'000, '!')).what == "this condition is nested too deeply");
    CHECK(Fixture{}.truth(std::string(90, '(') + "true" + std::string(90, ')')) == "true");
    std::string chain = "true";
    for (int i = 0; i < 100'000; ++i) chain += " && true";
    CHECK(Fixture{}.truth(chain) == "true");
}

TEST_CASE("a copy is as good as the original", "[condition]") {
    std::optional<Condition> copy;
    {
        const auto original = Condition::parse("$inputs.n == 10");
        copy = *original;
    }
    CHECK(copy->holds(Fixture{}.scope));
    CHECK(copy->expressions().front()->name == "n");
}
