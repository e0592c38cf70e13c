#pragma once

#include <cstdint>

namespace lockstep {

/// `exclusive`: nobody else. `shared`: beside other readers, never beside an exclusive holder.
enum class LockMode : std::uint8_t { exclusive, shared };

}  // namespace lockstep
