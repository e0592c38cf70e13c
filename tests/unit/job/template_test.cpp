#include <catch2/catch.hpp>

#include "job/json_template.hpp"

using namespace lockstep;

namespace {

Template parsed(std::string_view source) {
    INFO(source);
    auto text = parse_template(source);
    REQUIRE(text.has_value());
    return std::move(*text);
}

Result<std::string> no_secret(std::string_view) { return fail(Failure::job_file, "no secrets here"); }

struct Fixture {
    Json inputs =
        parse_json(R"({"a": "x/y z", "n": 1.10, "null": null, "o": {"k": [1, "$"]}, "dollar": "$5 {$inputs.a}", "yes": true})")
            .value();
    Scope scope{.inputs = &inputs, .run_id = "r1", .secret = no_secret};

    std::string text(std::string_view source, Quoting quoting = Quoting::none) const {
        const auto done = render(parsed(source), scope, quoting);
        return done ? *done : "error: " + done.error().text;
    }
    std::string value(std::string_view source) const {
        const auto done = render_value(parsed(source), scope);
        return done ? to_text(*done) : "error: " + done.error().text;
    }
};

}  // namespace

TEST_CASE("a '$' that begins no expression is itself", "[template]") {
    for (const char* constant : {"", "plain", "100$", "$1", "\"$1\" $2 ${x} $(date) $HOME-less", "$", "a$", "{}", "{a}", "{$}",
                                 "{$1}", "awk {print $1}"}) {
        const Template text = parsed(std::string(constant).starts_with("$HOME") ? "x" : constant);
        CHECK(text.is_constant());
        CHECK_FALSE(text.single_expression);
    }
    CHECK(Fixture{}.text("$1 and 100$") == "$1 and 100$");
    CHECK(Fixture{}.text("${HOME} ${inputs} ${x.y} $${inputs.a}") == "${HOME} ${inputs} ${x.y} ${inputs.a}");
}

TEST_CASE("two dollar signs are one", "[template]") {
    const Fixture f;
    CHECK(f.text("$$") == "$");
    CHECK(f.text("$$$$") == "$$");
    CHECK(f.text("$$inputs.a") == "$inputs.a");
    CHECK(f.text("{$$inputs.a}") == "{$inputs.a}");
    CHECK(f.text("$${$inputs.n}") == "$1.10");
}

TEST_CASE("an expression in braces becomes text", "[template]") {
    const Fixture f;
    CHECK(f.text("<{$inputs.a}|{$inputs.n}>") == "<x/y z|1.10>");
    CHECK(f.text("{{$inputs.n}}") == "{1.10}");
    CHECK(f.text("{$inputs.n}{$inputs.yes}") == "1.10true");
    CHECK(f.text("{$inputs.o}") == R"({"k":[1,"$"]})");
    CHECK(f.text("ä{$run.id}€") == "är1€");
}

TEST_CASE("a value is never read as a template itself", "[template]") {
    const Fixture f;
    CHECK(f.text("{$inputs.dollar}") == "$5 {$inputs.a}");
    CHECK(f.text("$inputs.dollar") == "$5 {$inputs.a}");
}

TEST_CASE("a string that is one expression keeps its JSON type, in braces it is text", "[template]") {
    const Fixture f;
    CHECK(f.value("$inputs.n") == "1.10");
    CHECK(f.value("{$inputs.n}") == "\"1.10\"");
    CHECK(f.value("$inputs.null") == "null");
    CHECK(f.value("$inputs.o") == R"({"k":[1,"$"]})");
    CHECK(f.value("$inputs.none") == "error: $inputs.none is missing");
    CHECK(f.value("a$$b") == "\"a$b\"");
    CHECK(f.value("5") == "\"5\"");
}

TEST_CASE("a missing or null value in a text is an error that names it", "[template]") {
    const Fixture f;
    CHECK(f.text("a{$inputs.none}") == "error: $inputs.none is missing");
    CHECK(f.text("a{$inputs.null}") == "error: $inputs.null is null");
    CHECK(f.text("$inputs.null") == "error: $inputs.null is null");
    CHECK(f.text("{$secrets.t}") == "error: no secrets here");
}

TEST_CASE("a value inside a URL is percent-encoded but for unreserved characters", "[template]") {
    Fixture f;
    CHECK(f.text("http://h/{$inputs.a}?q=$1", Quoting::percent) == "http://h/x%2Fy%20z?q=$1");
    f.inputs.set("u", Json::of_string("aZ09-._~%&?#+ä\n"));
    CHECK(f.text("{$inputs.u}", Quoting::percent) == "aZ09-._~%25%26%3F%23%2B%C3%A4%0A");
    f.inputs.set("u", Json::of_string("http://h/a b?c#d"));
    CHECK(f.text("$inputs.u", Quoting::percent) == "http://h/a b?c#d");
}

TEST_CASE("what looks like an expression but is none is an error", "[template]") {
    const auto wrong = [](std::string_view source) {
        INFO(source);
        auto text = parse_template(source);
        REQUIRE_FALSE(text.has_value());
        return text.error();
    };
    CHECK(wrong("$inptus.a").offset == 0);
    CHECK(wrong("$HOME").advice == "a dollar sign itself is written $$");
    CHECK(wrong("$inputs.a and more").offset == 9);
    CHECK(wrong("at $inputs.a").offset == 3);
    CHECK(wrong("at ${inputs.a}").offset == 3);
    CHECK(wrong("${inputs.a#/b} there").advice == "write {$inputs.a#/b}; a dollar sign itself is written $$");
    CHECK(wrong("at $statusCode").offset == 3);
    CHECK(wrong("at {$inputs.a").offset == 4);
    CHECK(wrong("at {$inptus.a}").offset == 4);
    CHECK(wrong("{$inputs.a}{$inputs.}").offset == 20);
    CHECK(wrong("{$inputs.a }").offset == 10);
}

TEST_CASE("an expression knows where it stands in its string", "[template]") {
    const Template text = parsed("ab{$run.id}$${$inputs.a}");
    REQUIRE(text.parts.size() == 4);
    CHECK(text.parts[0].literal == "ab");
    CHECK(text.parts[1].expression.offset == 3);
    CHECK(text.parts[2].literal == "$");
    CHECK(text.parts[3].expression.offset == 14);
}

TEST_CASE("without secrets the rendered text is a template again, whose second rendering is the final text", "[template]") {
    Fixture f;
    const auto secret = [](std::string_view name) { return Result<std::string>("<" + std::string(name) + " $s>"); };
    for (const char* source :
         {"Bearer {$secrets.t}", "$secrets.t", "{$inputs.dollar} {$secrets.t}", "$inputs.dollar",
          "$$ $1 {$$x} {$secrets.a}{$secrets.b}", "$$inputs.a", "{{$inputs.dollar}}", "100$", "{$$secrets.t}"}) {
        INFO(source);
        Scope scope = f.scope;
        scope.secret = secret;
        const auto at_once = render(parsed(source), scope);
        REQUIRE(at_once.has_value());
        scope.secret = nullptr;
        const auto reference = render(parsed(source), scope);
        REQUIRE(reference.has_value());
        CHECK(reference->find("<t") == std::string::npos);
        const Scope only_secrets{.secret = secret};
        CHECK(render(parsed(*reference), only_secrets).value() == *at_once);
    }
    f.scope.secret = nullptr;
    CHECK(f.text("Bearer {$secrets.t} for $$5") == "Bearer {$secrets.t} for $$5");
    CHECK(f.text("$secrets.t") == "{$secrets.t}");
}

TEST_CASE("a body is rendered string by string; its keys and other values stay", "[template]") {
    Fixture f;
    f.scope.secret = nullptr;
    const auto rendered = [&](const char* json) {
        return JsonTemplate::parse(parse_json(json).value()).value().render(f.scope);
    };
    const auto body = rendered(
        R"({"$inputs.a": ["$inputs.n", "{$inputs.n}", 2.50, null, {"d": "$$1"}, "$inputs.o#/k/0"], "$": "$5", "e": "x", "f": "$inputs.o", "g": "$inputs.yes"})");
    CHECK(to_text(body.value()) ==
          R"({"$inputs.a":[1.10,"1.10",2.50,null,{"d":"$1"},1],"$":"$5","e":"x","f":{"k":[1,"$"]},"g":true})");
    CHECK_FALSE(JsonTemplate::parse(parse_json(R"({"a": ["$inptus.a"]})").value()).has_value());
    const auto missing = rendered(R"([{"a": ["$inputs.none"]}, "$inputs.neither"])");
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().text == "$inputs.none is missing");
    CHECK_FALSE(rendered(R"(["$secrets.t"])").has_value());
}
