#pragma once
// Small questions about text that several rooms ask.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// Of `candidates` the one that `word` was probably meant to be (at most a third of its letters wrong, case ignored), or "".
std::string_view closest_match(std::string_view word, std::span<const std::string_view> candidates);

/// What a message about a word that nobody knows ends in: "; did you mean X?" with the closest match, or "".
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

/// ASCII letters in lower case, all else as it is.
std::string lower_case(std::string_view text);

/// The same word but for the case of ASCII letters?
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// Without what of `blanks` is at its ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t\r\n");

/// "a, b, c"
std::string joined(const std::vector<std::string>& words, std::string_view between = ", ");

/// With `with` in every place of `what`, from left to right; what was put in is not looked at again.
std::string replaced(std::string text, std::string_view what, std::string_view with);

/// One line for a log or a terminal: control characters and invalid UTF-8 escaped as \n, \x1b, …, cut at `limit` bytes
/// with "…" behind it.
std::string printable(std::string_view text, std::size_t limit = 200);

/// Whether all of it is UTF-8 (RFC 3629: no overlong forms, no surrogates), as all that the journal keeps must be.
bool is_utf8(std::string_view text);

/// All but RFC 3986's unreserved characters as %XX.
std::string percent_encoded(std::string_view text);

/// `text` as one word of a POSIX shell: bare if that is safe, else in single quotes.
std::string shell_quoted(std::string_view text);

/// The same with no control character and no invalid UTF-8, so that it stays on one line of a terminal: then it is a word of
/// the shells that know $'…' (POSIX.1-2024, 2.2.4).
std::string shell_quoted_line(std::string_view text);

/// A job's, lock's or step's name: [A-Za-z_][A-Za-z0-9_-]*
bool is_name(std::string_view text);

}  // namespace lockstep
