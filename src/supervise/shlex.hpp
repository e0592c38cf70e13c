#pragma once
// Words of a line as Python's shlex.split() makes them, which is how supervisord reads a command: quotes and backslashes as in
// sh, and nothing is expanded.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// nullopt: a quote is not closed, or a backslash stands at the end.
std::optional<std::vector<std::string>> shlex_split(std::string_view line);

/// The last part of a path: of a command's first word, the program's name.
std::string_view base_name(std::string_view path);
/// Is the word this program, by whatever path?
bool names_lockstep(std::string_view word);

/// supervisord's `environment`: KEY="val",KEY2=val. What cannot be read is left out.
std::vector<std::pair<std::string, std::string>> key_values(std::string_view text);

}  // namespace lockstep
