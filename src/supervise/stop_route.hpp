#pragma once
// The way of a request to stop, from the process that a supervisor has started to lockstep: what stands between the two, and
// what that does with it.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/duration.hpp"

namespace lockstep {

struct StopRoute {
    using Command = std::vector<std::string>;

    enum class End {
        arrives,  ///< at lockstep, or no lockstep is started here
        lost,     ///< what stands in front takes it for itself
        unknown,  ///< what that does with it is not known here
    };
    End end = End::arrives;
    bool direct = false;  ///< the process that is started is, or becomes, lockstep
    std::string why;      ///< lost, unknown: what stands in front
    Command write;        ///< the whole command to have instead; empty where that cannot be told
    std::string piece;    ///< and then what the shell's script should say
    std::string user;     ///< whom the supervisor is to run it as, for what changed the user is not in `write`

    Millis delay{0};  ///< `lockstep exec` in front defers it so long

    /// What stands in front loses patience by itself.
    struct Kill {
        std::string why;  ///< "timeout -k 1 kills it 1s after a stop"
        Millis after{0};
        Millis delay{0};  ///< of `delay`, what lies behind it
        Command write;
        std::string user;
    };
    std::optional<Kill> kill;
};

/// Of a command as words: a shell's script among them is looked into.
StopRoute stop_route(std::span<const std::string> words);

/// Whether the process that is started is, or becomes, lockstep: directly, behind env, nice and the like, and by the `exec` of
/// a shell's script.
bool becomes_lockstep(std::span<const std::string> words);

}  // namespace lockstep
