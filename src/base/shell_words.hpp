#pragma once
// A shell command line as its words and operators, with the place of each in the text: enough to see what a line does and to
// change one part of it, and to leave the rest as it was written (POSIX.1-2017, Shell Command Language, 2.2 and 2.3).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

struct ShellToken {
    enum class Kind {
        word,      ///< a word of a command
        op,        ///< && || ; ;; & | |& ( ) or a line's end
        redirect,  ///< its operator, with the number before it and the word behind it
    };
    Kind kind = Kind::word;
    std::string_view text;             ///< as it stands in the line; of a redirection, all of it
    std::size_t begin = 0;             ///< where that begins in the line
    std::optional<std::string> value;  ///< of a word without expansions: what the shell makes of it
    std::string unquoted;              ///< of a word: without its quotes; expansions as they are written

    std::size_t end() const { return begin + text.size(); }
    bool is_op(std::string_view op) const { return kind == Kind::op && text == op; }
    bool is_word(std::string_view word) const { return kind == Kind::word && text == word; }
};

/// The tokens of a line, comments left out. nullopt: a quote or a substitution is not closed, or there is a here-document
/// or a substituted process. The tokens point into `line`.
std::optional<std::vector<ShellToken>> split_shell_line(std::string_view line);

/// Those of a script as far as it can be read: what is not closed ends with the text, a substituted process is a part of a
/// word, and the lines of a here-document are read like any others.
std::vector<ShellToken> shell_tokens(std::string_view script);

/// NAME=…, NAME+=… or NAME[…]=…: as the first words of a command some shell takes these for variables (NAME.NAME: ksh93).
bool is_assignment(const ShellToken& word);

/// Of a word that a command begins with: one that a compound command begins with, as `{` and `if` (2.9.4).
bool opens_group(const ShellToken& word);
/// One that ends it, as `}` and `fi`.
bool closes_group(const ShellToken& word);
/// One behind which a command begins: `if`, `then`, `{`, `!`, …; not `for` and `case`, which names follow.
bool command_follows(const ShellToken& word);

/// How much of a script a shell reads before it does the first line of it: quotes, substitutions, a backslash at the end and
/// here-documents make it read on. The '\n' at the end is not counted; all of the text if no such end can be found.
std::size_t shell_line_length(std::string_view script);

}  // namespace lockstep
