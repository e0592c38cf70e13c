#pragma once
// Looking at a lock without taking it: for `status`. Records and /proc tell it, so that a look never makes anybody wait.

#include <optional>
#include <string>
#include <string_view>

#include "lock/lock_record.hpp"

namespace lockstep {

enum class LockState : std::uint8_t {
    free,         ///< there is no lock directory
    held,         ///< its holder is alive
    left_behind,  ///< its holder is dead: the next run takes it over
    foreign,      ///< made by something else, such as a script's mkdir: it counts as held until it is removed
    unknown,      ///< another user's, another pid namespace's, unreadable, or changing hands at this moment
};
std::string_view to_string(LockState state);

struct LockView {
    LockState state = LockState::free;
    std::string path;                  ///< absolute, or as it was given if it cannot be made so
    std::optional<LockRecord> record;  ///< what the holder wrote, if it can be read
    std::string text;                  ///< for people: "held by pid 812 since 03:00:01, order o17, second"
};

/// @param name_or_path  as LockPath::open takes it
LockView look_at_lock(const std::string& name_or_path);

}  // namespace lockstep
