#include "base/text_buffer.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <string>

#include "base/append_text.hpp"
#include "base/text.hpp"

using namespace lockstep;

TEST_CASE("a text buffer cuts what does not fit and has room for a terminator only if it is not full", "[text_buffer]") {
    TextBuffer<5> text;
    text.append("abc");
    CHECK(std::string(text.c_str()) == "abc");
    text.append("defg");
    CHECK(text.view() == "abcde");
    CHECK(text.c_str() == nullptr);
}

TEST_CASE("numbers are appended in full", "[text_buffer]") {
    TextBuffer<64> text;
    text.append(std::numeric_limits<std::uint64_t>::max()).append(" ").append(std::numeric_limits<std::int64_t>::min());
    CHECK(text.view() == "18446744073709551615 -9223372036854775808");
    TextBuffer<64> padded;
    padded.append_padded(7U, 3).append(" ").append_padded(1234U, 3).append(" ").append_padded(0U, 2);
    CHECK(padded.view() == "007 1234 00");
}

TEST_CASE("appended text is escaped and quoted as the same text by itself", "[text_buffer]") {
    for (const std::string& text :
         {std::string("plain"), std::string("two words"), std::string("it's\n\x1b[31m \xC2\x9B \xFF ümlaut"),
          std::string(400, 'x'), std::string("a\0b", 3)}) {
        TextBuffer<4096> buffer;
        buffer.append("before ");
        append_printable(buffer, text, 200);
        CHECK(buffer.view() == "before " + printable(text, 200));
        TextBuffer<4096> quoted;
        append_shell_quoted(quoted, text);
        CHECK(quoted.view() == shell_quoted(text));
    }
}
