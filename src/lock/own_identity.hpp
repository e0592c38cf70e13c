#pragma once
// What a process knows of itself and writes into its lock's record, without an allocation.

#include <sys/types.h>

#include <cstdint>

#include "base/text_buffer.hpp"

namespace lockstep {

struct OwnIdentity {
    /// Now, on the clock and in the unit of field 22 of /proc/PID/stat. It costs no system call, while the field itself, read
    /// for the guardian and its front, costs more than taking the lock.
    std::uint64_t ticks_since_boot = 0;
    TextBuffer<64> boot_id;
    std::uint64_t pid_namespace = 0;  ///< inode of /proc/self/ns/pid
    TextBuffer<64> host;
    uid_t uid = 0;
};

OwnIdentity own_identity();

}  // namespace lockstep
