#pragma once
// Locks that a line makes and removes by itself: `mkdir L && …; rmdir L`, and lockfile(1) with rm.

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "supervise/lock_call.hpp"

namespace lockstep {

/// A simple command among a line's tokens.
struct SimpleCommand {
    std::size_t first = 0;  ///< index of its first token
    std::size_t last = 0;   ///< one past its last
    std::vector<ShellToken> words;
    std::vector<ShellToken> redirects;

    /// The name of the program, without its directory; "" if it cannot be told.
    std::string program() const;
};
SimpleCommand simple_command_at(std::span<const ShellToken> tokens, std::size_t first);

/// The part of a line that takes a lock, works and gives it back.
struct LockScript {
    LockCall call;
    std::size_t begin = 0;  ///< bytes of the line
    std::size_t end = 0;
    std::string_view body;        ///< what is done under the lock
    bool is_one_command = false;  ///< which needs no shell
};

/// Does this command make a lock by itself (mkdir of something that is called a lock, lockfile, dotlockfile)?
bool takes_lock_itself(const SimpleCommand& command);

/// Reads the script whose lock is taken by the command at token `first`. Error: why it cannot be read.
std::expected<LockScript, std::string> read_lock_script(std::string_view line, std::span<const ShellToken> tokens,
                                                        std::size_t first);

}  // namespace lockstep
