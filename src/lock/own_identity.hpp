#pragma once
// What a process knows of itself and writes into its lock's record, without an allocation.

#include <sys/types.h>

#include <cstdint>

#include "base/text_buffer.hpp"

namespace lockstep {

/// Where its pid means something. The same for a process and its children, and what costs most: two looks into /proc.
struct PidScope {
    TextBuffer<64> boot_id;
    std::uint64_t pid_namespace = 0;  ///< inode of /proc/self/ns/pid
};

struct OwnIdentity {
    /// Now, on the clock and in the unit of field 22 of /proc/PID/stat. It costs no system call, while the field itself, read
    /// for the guardian and its front, costs more than taking the lock.
    std::uint64_t ticks_since_boot = 0;
    PidScope scope;
    TextBuffer<64> host;
    uid_t uid = 0;
};

PidScope own_pid_scope();

/// @param known  the scope, where another process has looked for it; nullptr: not yet
OwnIdentity own_identity(const PidScope* known = nullptr);

}  // namespace lockstep
