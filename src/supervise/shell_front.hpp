#pragma once
// A shell between a supervisor and lockstep: does it make room, so that the request to stop gets to lockstep?

#include <optional>
#include <span>
#include <string>

namespace lockstep {

/// Whether the process that is started is, or becomes, lockstep: directly, behind env, nice and the like, and by the `exec` of
/// a shell's script.
bool becomes_lockstep(std::span<const std::string> words);

/// A shell that waits for lockstep, and so takes the request to stop for itself.
struct ShellInFront {
    std::string why;
    std::string write;  ///< what its script should say instead
};

/// Of `sh -c 'cd /srv && lockstep loop a.json'`, whatever stands before. nullopt: lockstep takes the shell's place, or there is
/// none. bash(1) makes room by itself for the one command of a script, dash(1) never.
std::optional<ShellInFront> shell_in_front(std::span<const std::string> words);

}  // namespace lockstep
