#pragma once
// What this run's supervisor will do when it stops it: asked beside the work, so that one that does not answer delays nothing.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/error.hpp"

namespace lockstep {

struct SupervisorWord {
    std::string who;                    ///< "supervisord", "systemd", …
    std::optional<Millis> given;        ///< between its SIGTERM and its SIGKILL; nullopt: for ever
    bool too_short = false;             ///< less than the longest pair
    std::string text;                   ///< what is wrong with `given`, and the exact line to write; "" if nothing is
    std::vector<std::string> warnings;  ///< what else is not as it should be
    bool signals_commands = false;      ///< its SIGTERM is for the commands in hand, too
    bool gives_more = false;            ///< it is told of each second that is still needed: `given` does not bind
};

/// Asks, which may take seconds; nullopt, or an exception: there is no answer. Called in a thread of its own.
using AskSupervisor = std::function<std::optional<SupervisorWord>()>;

class SupervisorWatch {
  public:
    /// Starts to ask. Error: Failure::os, no thread or descriptor.
    static Result<SupervisorWatch> start(AskSupervisor ask);

    /// Waits for the answer. @return whether it is there, or will never come
    bool wait(Millis limit) const;
    /// Readable (POLLIN) from then on.
    int fd() const;
    /// Once that is so.
    const std::optional<SupervisorWord>& word() const;

  private:
    struct State;
    explicit SupervisorWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}

    std::shared_ptr<State> state_;  ///< shared with the thread, which may outlive us: the process ends without it
};

}  // namespace lockstep
