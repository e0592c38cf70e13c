#pragma once
// The commands by which a script makes a lock and removes it: mkdir(1) and rmdir(1), lockfile(1), dotlockfile(1), rm(1).

#include <expected>
#include <string>

#include "convert/lock_call.hpp"
#include "convert/simple_command.hpp"

namespace lockstep {

/// Does this command make a lock (mkdir of something that is called a lock, lockfile, dotlockfile)?
bool takes_lock_itself(const SimpleCommand& command);

/// Reads such a command into `call`: the lock's place, how long is waited for it, what changes.
/// @return  the word that names the lock, which is to be removed later. Error: why it cannot be told.
std::expected<ShellToken, std::string> read_lock_taking(const SimpleCommand& taking, LockCall& call);

/// Does this command remove `lock`, and nothing else?
bool gives_lock_back(const SimpleCommand& command, const ShellToken& lock);

}  // namespace lockstep
