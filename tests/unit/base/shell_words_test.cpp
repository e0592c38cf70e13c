// A shell line as words and operators, with their places.

#include "base/shell_words.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;

namespace {

/// "word|op|…", a redirection in <>.
std::string shown(const std::string& line) {
    const auto tokens = split_shell_line(line);
    if (!tokens) return "not read";
    std::string text;
    for (const ShellToken& token : *tokens) {
        if (!text.empty()) text += "|";
        text += token.kind == ShellToken::Kind::redirect ? "<" + std::string(token.text) + ">" : std::string(token.text);
        CHECK(line.substr(token.begin, token.text.size()) == token.text);
    }
    return text;
}

std::optional<std::string> value(const std::string& line) {
    const auto tokens = split_shell_line(line);
    REQUIRE(tokens);
    REQUIRE(tokens->size() == 1);
    return tokens->front().value;
}

}  // namespace

TEST_CASE("words, operators and redirections are told apart", "[shell]") {
    CHECK(shown("a b  c") == "a|b|c");
    CHECK(shown("a&&b||c;d&e|f") == "a|&&|b||||c|;|d|&|e|||f");
    CHECK(shown("(a; b) & { c; }") == "(|a|;|b|)|&|{|c|;|}");
    CHECK(shown("a >x 2>&1 <y >>z 2>/dev/null &>w") == "a|<>x>|<2>&1>|<<y>|<>>z>|<2>/dev/null>|<&>w>");
    CHECK(shown("a 2 >x b2>y") == "a|2|<>x>|b2|<>y>");
    CHECK(shown("a #b c") == "a");
    CHECK(shown("a#b") == "a#b");
    CHECK(shown("") == "");
    CHECK(shown("a\\\nb \\\n c\nd") == "a\\\nb|c|\n|d");
}

TEST_CASE("quotes keep a word together", "[shell]") {
    CHECK(shown("'a b' \"c d\" e\\ f g'h i'j") == "'a b'|\"c d\"|e\\ f|g'h i'j");
    CHECK(shown("\"a \\\" b\" 'c \\' d") == "\"a \\\" b\"|'c \\'|d");
    CHECK(shown("$(a 'b)' \"c)\") `d e` ${f:-g h}") == "$(a 'b)' \"c)\")|`d e`|${f:-g h}");
    CHECK(shown("\"$(a \"b c\")\" d") == "\"$(a \"b c\")\"|d");
}

TEST_CASE("a word's value is known if nothing in it is expanded", "[shell]") {
    CHECK(value("a'b c'\"d\"\\e") == "ab cde");
    CHECK(value("''") == "");
    CHECK(value("\"\\$a\\b\\\\\"") == "$a\\b\\");
    CHECK(value("a~b") == "a~b");
    for (const char* word : {"$a", "\"$a\"", "`a`", "a*", "a?", "[ab]", "~/a", "{a,b}", "$'a'", "\"`b`\""})
        CHECK_FALSE(value(word));
}

TEST_CASE("what is not closed, and what goes on elsewhere, is not read", "[shell]") {
    for (const char* line : {"'a", "\"a", "`a", "$(a", "${a", "a \\", "cat <<E", "a <(b)", "a >", "a > ;", "\"$(a\""})
        CHECK(shown(line) == "not read");
}

TEST_CASE("a line of a script ends where the shell has read enough to do it", "[shell]") {
    const auto first_line = [](const std::string& script) { return script.substr(0, shell_line_length(script)); };
    for (const std::string line : {"a", "", "a # it's", "env A=1 \\\n  b", "a 'b\nc' d", "a \"b\n$(c\nd)\"", "a `b\nc`",
                                   "cat <<E\nit's\nE", "cat <<-'E F' >x; b\n'\n\tE F", "a <<E <<F\nF\nE\nE\nF", "a \\\n <<E\nE",
                                   "cat <<<E", "cat <(a\nb) c", "a 'b\nc' <<\\E\nd\nE"}) {
        INFO(line);
        CHECK(first_line(line) == line);
        CHECK(first_line(line + "\nE\n") == line);
    }
    for (const std::string open : {"a 'b", "a $(b", "cat <<E", "a \\"})
        CHECK(first_line(open + "\nc\nd\n") == (open == "a \\" ? "a \\\nc" : open + "\nc\nd\n"));
}

TEST_CASE("of a script that is not closed, or goes on elsewhere, there are tokens as far as it goes", "[shell]") {
    const auto unquoted = [](const std::string& script) {
        std::string text;
        for (const ShellToken& token : shell_tokens(script))
            text +=
                (text.empty() ? "" : "|") + (token.kind == ShellToken::Kind::word ? token.unquoted : std::string(token.text));
        return text;
    };
    CHECK(unquoted("'a b' \"$(c \"d\")\"$'e'\\f ~/'g' \"`h`\"") == "a b|$(c \"d\")$ef|~/g|`h`");
    CHECK(unquoted("a x<(b; c) > >(d 'e f') 2>&1 | g") == "a|x<(b; c)|> >(d 'e f')|2>&1|||g");
    CHECK(unquoted("a <<E; b\nc\nE") == "a|<<E|;|b|\n|c|\n|E");
    CHECK(unquoted("a; b 'c; d") == "a|;|b|c; d");
    CHECK(unquoted("a $(b; c") == "a|$(b; c");
    CHECK(unquoted("a >; b") == "a|>|;|b");
}

TEST_CASE("an assignment is a name, perhaps with a subscript, and an equals sign", "[shell]") {
    const auto assigns = [](std::string_view word) {
        const auto tokens = shell_tokens(word);
        REQUIRE(tokens.size() == 1);
        return is_assignment(tokens.front());
    };
    for (const char* word : {"A=1", "_a2=", "PATH+=:/x", "list[0]=x", "A='b c'", "a.b=/x"}) {
        INFO(word);
        CHECK(assigns(word));
    }
    for (const char* word : {"A", "=1", "2a=1", "--lock=x", "./a=b", "'A'=1", "$A=1", "a/b=c", "list[0", "a]=b"}) {
        INFO(word);
        CHECK_FALSE(assigns(word));
    }
}
