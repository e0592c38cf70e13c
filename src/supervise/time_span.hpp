#pragma once
// Time spans of systemd.time(7): "90", "1min 30s", "5ms", "infinity".

#include <optional>
#include <string_view>

#include "base/duration.hpp"

namespace lockstep {

/// A stop timeout as a unit states it: nullopt in the inner one is for ever ("infinity" and 0, as
/// systemd.service(5) has it); in the outer one: not a time span, which systemd would ignore.
std::optional<std::optional<Millis>> parse_stop_timeout(std::string_view text);

}  // namespace lockstep
