#pragma once
// Asking this run's supervisor what it will do when it stops it: beside the work, so that one that does not answer delays
// nothing.

#include <functional>
#include <memory>
#include <optional>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/error.hpp"
#include "job/supervisor_word.hpp"

namespace lockstep {

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
