#pragma once
// %(name)s in supervisord's configuration: Python's string formatting with a mapping.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

/// @param value_of  nullopt: there is no such name
/// @return nullopt: a name is unknown, or the text is no format ("100%"); supervisord would not start with it
std::optional<std::string> expand_percent(std::string_view text,
                                          const std::function<std::optional<std::string>(const std::string& name)>& value_of);

/// Whether it has a '%' that begins neither %(name)… nor %%, with which no value could expand it.
bool has_stray_percent(std::string_view text);

}  // namespace lockstep
