#pragma once
// A thread that ptrace(2) has stopped at a system call: what it calls, and how to make it fail.

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace syscall_stop {

struct Call {
    std::uint64_t number = 0;
    std::array<std::uint64_t, 6> arguments{};
    std::string name;  ///< "call_N" for those that nobody needed a name for yet
};

/// The call that `tid` is about to make; nothing if it is not at the entry of one.
std::optional<Call> entered(pid_t tid);

/// The file that the call is to make, remove, write or sync, as far as one can see; empty for all other calls, and for
/// sockets, pipes, eventfds, devices.
std::string durable_file(const Call& call, pid_t tid);

/// At the entry: the kernel is not to carry it out.
void skip(pid_t tid);

/// At the exit: what the program gets, a negative errno.
void set_result(pid_t tid, long result);

}  // namespace syscall_stop
