#pragma once

#include <string>

namespace lockstep {

/// Where `lockstep` is, which became this program: beside it, or where cmake --install puts the two.
std::string own_program();

}  // namespace lockstep
