#include "base/text.hpp"

#include <array>
#include <catch2/catch.hpp>

using namespace lockstep;

TEST_CASE("the closest match is what was probably meant", "[text]") {
    constexpr std::array<std::string_view, 4> kWords = {"http", "command", "timeout", "deadline"};
    CHECK(closest_match("htpp", kWords) == "http");
    CHECK(closest_match("comand", kWords) == "command");
    CHECK(closest_match("TIMEOUT", kWords) == "timeout");
    CHECK(closest_match("tiemout", kWords) == "timeout");
    CHECK(closest_match("dedlin", kWords) == "deadline");
    CHECK(closest_match("xylophone", kWords).empty());
    CHECK(closest_match("", kWords).empty());
    CHECK(closest_match(std::string(10'000, 'h'), kWords).empty());
    CHECK(closest_match("http", {}).empty());
}

TEST_CASE("printable text cannot move a terminal's cursor", "[text]") {
    CHECK(printable("a\nb\tc\rd") == "a\\nb\\tc\\rd");
    CHECK(printable("\x1b[31m\x7f") == "\\x1b[31m\\x7f");
    CHECK(printable("a\u202Eb\u2066c\u200F") == "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6c\\xe2\\x80\\x8f");  // right to left
    CHECK(printable("\u2013 \u2022 \u20AC") == "\u2013 \u2022 \u20AC");
    CHECK(printable("\xC2\x9B"
                    "31m") == "\\xc2\\x9b31m");  // CSI as one C1 character
    CHECK(printable(std::string_view("\0x", 2)) == "\\x00x");
}

TEST_CASE("printable text keeps valid UTF-8 and escapes all other bytes", "[text]") {
    CHECK(printable("äöü€😀") == "äöü€😀");
    CHECK(printable("\xFF\xFE") == "\\xff\\xfe");
    CHECK(printable("\xC3") == "\\xc3");
    CHECK(printable("\xC0\xAF") == "\\xc0\\xaf");                    // overlong
    CHECK(printable("\xE0\x80\xAF") == "\\xe0\\x80\\xaf");           // overlong
    CHECK(printable("\xED\xA0\x80") == "\\xed\\xa0\\x80");           // surrogate
    CHECK(printable("\xF4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // beyond U+10FFFF
}

TEST_CASE("printable text is cut at whole characters", "[text]") {
    CHECK(printable("abcdef", 3) == "abc…");
    CHECK(printable("abc", 3) == "abc");
    CHECK(printable("ääää", 3) == "ää…");
}

TEST_CASE("a quoted word is one word of a shell", "[text]") {
    CHECK(shell_quoted("") == "''");
    CHECK(shell_quoted("plain-1.2/x") == "plain-1.2/x");
    CHECK(shell_quoted("a b") == "'a b'");
    CHECK(shell_quoted("it's $HOME") == "'it'\\''s $HOME'");
    CHECK(shell_quoted("~root") == "'~root'");
    CHECK(shell_quoted("#x") == "'#x'");
}

TEST_CASE("a name is letters, digits, '_' and '-', and begins with no digit", "[text]") {
    for (const char* name : {"a", "_", "ship-orders", "A1_b-C"}) CHECK(is_name(name));
    for (const char* name : {"", "1a", "-a", "a b", "a.b", "ä", "a/b", "a\n"}) CHECK_FALSE(is_name(name));
}

TEST_CASE("text is UTF-8 as a whole or not at all", "[text]") {
    CHECK(is_utf8(""));
    CHECK(is_utf8("caf\u00e9 \u20AC \U0001F600"));
    for (const std::string_view text : {"caf\xE9", "\xE9.csv", "\xC0\x80", "\xED\xA0\x80", "\xE2\x82"}) {
        INFO(printable(text));
        CHECK_FALSE(is_utf8(text));
    }
}

TEST_CASE("words are compared, trimmed and joined", "[text]") {
    CHECK(equal_ignoring_case("Content-Type", "content-tYPE"));
    CHECK_FALSE(equal_ignoring_case("Link", "Links"));
    CHECK_FALSE(equal_ignoring_case("\xC4", "\xE4"));  // letters of ASCII only
    CHECK(trimmed(" \t a b\r\n") == "a b");
    CHECK(trimmed(" \r\n").empty());
    CHECK(trimmed("a\r", " \t") == "a\r");
    CHECK(joined({"a", "b"}) == "a, b");
    CHECK(joined({"a", "b"}, " | ") == "a | b");
    CHECK(joined({}).empty());
}
