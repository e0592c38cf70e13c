#pragma once
// Text for man(7) pages.

#include <string>
#include <string_view>

namespace lockstep {

/// For running text: backslashes, dashes that are to be typed, and what roff would take for a request at a line's start. What
/// stands in `backquotes` is bold.
std::string roff_text(std::string_view text);

/// A page's text from plain lines: `## HEAD` begins a section, `- TERM: text` tells of a term, lines that begin with four
/// blanks are shown as they are, all else is filled, and an empty line begins a paragraph.
std::string roff_page(std::string_view lines);

}  // namespace lockstep
