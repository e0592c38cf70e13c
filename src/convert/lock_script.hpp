#pragma once
// Locks that a line makes and removes by itself: `mkdir L && …; rmdir L`, and lockfile(1) with rm.

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "convert/lock_call.hpp"

namespace lockstep {

/// The part of a line that takes a lock, works and gives it back.
struct LockScript {
    LockCall call;
    std::size_t begin = 0;  ///< bytes of the line
    std::size_t end = 0;
    std::string_view body;        ///< what is done under the lock
    bool is_one_command = false;  ///< which needs no shell
};

/// Reads the script whose lock is taken by the command at token `first`. Error: why it cannot be read.
std::expected<LockScript, std::string> read_lock_script(std::string_view line, std::span<const ShellToken> tokens,
                                                        std::size_t first);

}  // namespace lockstep
