#pragma once
// What the command line of `lockstep exec` says.

#include <array>
#include <optional>
#include <vector>

#include "base/duration.hpp"
#include "lock/directory_lock.hpp"

namespace lockstep {

struct ExecOptions {
    std::vector<const char*> locks;  ///< NAMEs or PATHs as they were given, at least one
    char** argv = nullptr;           ///< the command, null-terminated
    std::array<char*, 4> shell{};    ///< what argv points to if the command was given as a text for a shell
    LockMode mode = LockMode::exclusive;
    std::optional<Millis> wait = Millis{0};        ///< for all locks together; nullopt: for ever
    std::optional<Millis> grace = Millis{30'000};  ///< nullopt: for ever
    std::optional<Millis> limit;                   ///< of the command itself; nullopt: none
    int busy_status = 75;
    bool interactive = false;
    bool quiet = false;
    bool verbose = false;
};

}  // namespace lockstep
