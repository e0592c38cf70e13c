#pragma once
// An ExecStart= as systemd makes words of it: systemd.service(5), "COMMAND LINES"; systemd.unit(5), "SPECIFIERS".

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervise/unit_file.hpp"

namespace lockstep {

using UnitVariables = std::map<std::string, std::string, std::less<>>;

/// What Environment= sets. Nothing where other lines may change or remove it (EnvironmentFile=, UnsetEnvironment=).
UnitVariables unit_variables(const UnitFiles& files);

/// The words, without the signs before the program. `%%` is '%', `$$` is '$', %n, %N, %p and %i are the unit's; other
/// specifiers and variables stay as they are written.
std::vector<std::string> exec_words(std::string_view line, const std::string& unit, const UnitVariables& variables = {});

/// The words as they are written, specifiers and variables too, and the signs before the program.
struct WrittenExec {
    std::string signs;
    std::vector<std::string> words;
};
WrittenExec written_exec(std::string_view line);

/// A path in a unit; nullopt: it has a specifier that is not known here.
std::optional<std::string> with_specifiers(std::string_view text, const std::string& unit);

}  // namespace lockstep
