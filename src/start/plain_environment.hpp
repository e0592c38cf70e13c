#pragma once
// The environment of the command: ours, with the variables that tell of the lock, as setenv(3) would leave it.

#include <string_view>

namespace lockstep::start {

/// The value of `name`, or nullptr.
const char* find_variable(char* const* environment, std::string_view name);

/// Replaces the variable that `entry` ("NAME=VALUE") names, or adds it.
///
/// @param size      entries, without the null pointer behind them; grows by one if it is added
/// @param capacity  of the array, the null pointer included
/// @return false if there is no room
bool set_variable(char** environment, unsigned& size, unsigned capacity, char* entry);

}  // namespace lockstep::start
