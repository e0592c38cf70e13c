#include "run/supervisor_watch.hpp"

#include <exception>
#include <system_error>
#include <thread>

#include "sys/interrupt.hpp"
#include "sys/log.hpp"

namespace lockstep {

struct SupervisorWatch::State {
    Interrupt answered;
    std::optional<SupervisorWord> word;  ///< written before `answered` fires, never after
};

Result<SupervisorWatch> SupervisorWatch::start(AskSupervisor ask) {
    auto answered = Interrupt::create();
    if (!answered) return std::unexpected(answered.error());
    auto state = std::make_shared<State>(State{std::move(*answered), std::nullopt});
    try {
        std::thread([state, ask = std::move(ask)] {
            try {
                state->word = ask();
            } catch (const std::exception& problem) {  // what is asked beside the work must not end it
                log::warning("asking what the supervisor will do: {}", problem.what());
            }
            state->answered.fire();
        }).detach();
    } catch (const std::system_error& problem) {
        return fail(Failure::os, "starting a thread: " + std::string(problem.what()), problem.code().value());
    }
    return SupervisorWatch(std::move(state));
}

bool SupervisorWatch::wait(Millis limit) const { return state_->answered.wait_until(monotonic_now() + limit); }

int SupervisorWatch::fd() const { return state_->answered.fd(); }

const std::optional<SupervisorWord>& SupervisorWatch::word() const { return state_->word; }

}  // namespace lockstep
