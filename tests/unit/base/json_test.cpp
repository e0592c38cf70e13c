#include "base/json.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;

namespace {

Json parsed(std::string_view text) {
    auto json = parse_json(text);
    INFO(text);
    REQUIRE(json.has_value());
    return std::move(*json);
}

}  // namespace

TEST_CASE("numbers keep their source text", "[json]") {
    const std::string text = R"([1.10,1e2,-0,0.0,100000000000000000000000001,1E+2,123456789012345678901234567890.5])";
    CHECK(to_text(parsed(text)) == text);
    CHECK(parsed(text).elements[0].text == "1.10");
}

TEST_CASE("members keep their order, and of duplicates the last is found", "[json]") {
    const Json json = parsed(R"({"b":1,"a":2,"b":3})");
    CHECK(to_text(json) == R"({"b":1,"a":2,"b":3})");
    CHECK(json.find("b")->text == "3");
    CHECK(json.find("c") == nullptr);
    CHECK(parsed("[1]").find("b") == nullptr);
}

TEST_CASE("every value knows where it stands", "[json]") {
    const std::string text = "{\n  \"a\\\"b\": [ 1 , \"x,]\\\\\" , true],\n  \"c\" : {\"d\": -2.5e3}, \"e\": null }";
    const Json json = parsed(text);
    const auto at = [&](const Json& value, std::string_view start) { CHECK(text.substr(value.offset, start.size()) == start); };
    at(json, "{");
    at(*json.find("a\"b"), "[");
    at(json.find("a\"b")->elements[0], "1 ,");
    at(json.find("a\"b")->elements[1], "\"x,]");
    at(json.find("a\"b")->elements[2], "true");
    at(*json.find("c")->find("d"), "-2.5e3");
    at(*json.find("e"), "null");
    CHECK(text.substr(json.members[1].key_offset, 3) == "\"c\"");
}

TEST_CASE("a byte order mark shifts nothing", "[json]") {
    const std::string text = "\xEF\xBB\xBF{\"a\": 12.50, \"b\": \"x\"}";
    const Json json = parsed(text);
    CHECK(json.find("a")->text == "12.50");
    CHECK(text.substr(json.find("b")->offset, 3) == "\"x\"");
}

TEST_CASE("escapes and other alphabets survive a round trip", "[json]") {
    const Json json = parsed(R"(["\u00e4\n\t\"\\\/","😀","\ud83d\ude00","\u0000"])");
    CHECK(json.elements[0].text == "ä\n\t\"\\/");
    CHECK(json.elements[1].text == json.elements[2].text);
    CHECK(json.elements[3].text == std::string(1, '\0'));
    CHECK(equal(parsed(to_text(json)), json));
}

TEST_CASE("invalid UTF-8 in a string that is written becomes U+FFFD", "[json]") {
    CHECK(to_text(Json::of_string("a\xFF")) == "\"a\xEF\xBF\xBD\"");
}

TEST_CASE("what is not JSON is refused, with its place", "[json]") {
    for (const std::string_view text : {"", " ", "{", "[1,]", "{\"a\":1,}", "01", "+1", ".5", "1.", "nul", "'a'", "\"a",
                                        "[1] x", "\"\x01\"", "\"\xFF\"", "\"\\ud800\"", "// c\n1", "NaN", "1e999x"}) {
        INFO(text);
        const auto json = parse_json(text);
        REQUIRE_FALSE(json.has_value());
        CHECK_FALSE(json.error().what.empty());
        CHECK(json.error().offset <= text.size());
    }
    CHECK(parse_json("[1,\n 2 3]").error().offset == 7);
}

TEST_CASE("a NUL byte ends no text: what stands behind it is not dropped unseen", "[json]") {
    using namespace std::string_view_literals;
    for (const std::string_view text : {"{\"a\":1}\0{\"b\":2}"sv, "{\"a\":1}\0"sv, "{\"a\":1\0}"sv, "\0"sv}) {
        INFO(text);
        const auto json = parse_json(text);
        REQUIRE_FALSE(json.has_value());
        CHECK(json.error().what == "there is a NUL byte in it");
        CHECK(json.error().offset == text.find('\0'));
    }
}

TEST_CASE("nesting is bounded", "[json]") {
    CHECK(parse_json(std::string(200, '[') + std::string(200, ']')).has_value());
    const auto deep = parse_json(std::string(100'000, '['));
    REQUIRE_FALSE(deep.has_value());
    CHECK(deep.error().what == "nested deeper than 200 levels");
    CHECK(deep.error().offset == 200);
}

TEST_CASE("a pointer finds what RFC 6901 says", "[json]") {
    const Json json = parsed(R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"m~n":8,"~1":9,"x":{"0":"zero"}})");
    const auto found = [&](std::string_view pointer) {
        const Json* value = at_pointer(json, pointer);
        return value != nullptr ? to_text(*value) : "nothing";
    };
    CHECK(found("") == to_text(json));
    CHECK(found("/foo/1") == "\"baz\"");
    CHECK(found("/") == "0");
    CHECK(found("/a~1b") == "1");
    CHECK(found("/c%d") == "2");
    CHECK(found("/m~0n") == "8");
    CHECK(found("/~01") == "9");
    CHECK(found("/x/0") == "\"zero\"");
    for (const char* nothing :
         {"foo", "/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/", "/foo/0/x", "/none", "/foo/99999999999999999999"}) {
        INFO(nothing);
        CHECK(found(nothing) == "nothing");
    }
}

TEST_CASE("numbers are compared by value, integers of any length exactly", "[json]") {
    CHECK(compare_numbers("1.0", "1") == 0);
    CHECK(compare_numbers("1e2", "100") == 0);
    CHECK(compare_numbers("-0", "0") == 0);
    CHECK(compare_numbers("9007199254740993", "9007199254740992") > 0);
    CHECK(compare_numbers("123456789012345678901234567891", "123456789012345678901234567890") > 0);
    CHECK(compare_numbers("-10", "-9") < 0);
    CHECK(compare_numbers("-10", "9") < 0);
    CHECK(compare_numbers("0.1", "0.10") == 0);
}

TEST_CASE("equality looks at values, not at their order or spelling", "[json]") {
    CHECK(equal(parsed(R"({"a":1,"b":[1.0,"x"]})"), parsed(R"({"b":[1,"x"],"a":1e0})")));
    CHECK_FALSE(equal(parsed("[1,2]"), parsed("[2,1]")));
    CHECK_FALSE(equal(parsed("[1]"), parsed("[1,1]")));
    CHECK_FALSE(equal(parsed("\"1\""), parsed("1")));
    CHECK_FALSE(equal(parsed("null"), parsed("false")));
    CHECK_FALSE(equal(parsed(R"({"a":1})"), parsed(R"({"b":1})")));
}

TEST_CASE("building a value: set replaces, push adds", "[json]") {
    Json json;
    json.set("a", Json::of_number(1));
    json.set("a", Json::of_boolean(true));
    json.set("b", {}).push(Json::of_string("x"));
    CHECK(to_text(json) == R"({"a":true,"b":["x"]})");
    CHECK(to_plain_text(*json.find("a")) == "true");
    CHECK(to_plain_text(json.find("b")->elements[0]) == "x");
    CHECK(to_plain_text(*json.find("b")) == R"(["x"])");
}

TEST_CASE("a place is counted in lines and code points", "[json]") {
    const std::string text = "ab\näö😀x\n";
    const auto at = [&](std::size_t offset) {
        const SourcePosition position = position_at(text, offset);
        return std::to_string(position.line) + ":" + std::to_string(position.column);
    };
    CHECK(at(0) == "1:1");
    CHECK(at(2) == "1:3");
    CHECK(at(3) == "2:1");
    CHECK(at(text.find('x')) == "2:4");
    CHECK(at(text.size()) == "3:1");
    CHECK(at(text.size() + 10) == "3:1");
}

TEST_CASE("a number may be larger than any machine's, and keeps its source text", "[json]") {
    const std::string digits(400, '7');
    for (const std::string& number :
         {std::string("1e400"), std::string("-1.5E+400"), digits, "-" + digits, digits + ".25e-3"}) {
        INFO(number);
        CHECK(parsed(number).text == number);
        const std::string text = R"({"a\\":"1e400\"","n":[)" + number + R"(,0,-0,1.10,2e-3],"z":true})";
        CHECK(to_text(parsed(text)) == text);
        CHECK(parsed(text).find("z")->offset == text.find("true"));
    }
}

TEST_CASE("beside a number that is too large, what is not JSON is refused as ever, at its place", "[json]") {
    for (const std::string_view wrong :
         {"01",      "-01",      "1-1e400",   "1e",     "1e+",     "1.", "1.e4",  ".5",  "+1",  "-",       "1e400 5",
          "1e400.5", "1e-1e400", "1e--1e400", "01e400", "--1e400", "1x", "1\"\"", "nul", "\"a", "\"\xFF\""}) {
        INFO(wrong);
        const std::string plain = "[2e300," + std::string(wrong) + "]";
        const std::string large = "[2e400," + std::string(wrong) + "]";
        REQUIRE_FALSE(parse_json(large).has_value());
        CHECK(parse_json(large).error().what.find("json.exception") == std::string::npos);
        if (plain.find("400", 7) == std::string::npos)
            CHECK(parse_json(large).error().offset == parse_json(plain).error().offset);
    }
}
