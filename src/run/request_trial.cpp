#include "run/request_trial.hpp"

#include <string>

#include "step/request.hpp"

namespace lockstep {

Result<void> try_later_requests(const StepSpec& step, Scope scope) {
    scope.outputs_to_come = true;
    const auto of = [](std::string_view what, const Error& error) {
        return fail(error.failure, std::string(what) + ": " + error.text);
    };
    for (const PhaseName name : {PhaseName::first, PhaseName::second, PhaseName::compensate}) {
        const PhaseSpec* phase = step.phase(name);
        if (phase == nullptr) continue;
        if (name != PhaseName::first) {
            if (auto made = render_request(phase->action, phase->idempotency, scope); !made)
                return of(to_string(name), made.error());
        }
        if (!phase->probe) continue;
        if (auto made = render_request(phase->probe->action, std::nullopt, scope); !made)
            return of("probe of " + std::string(to_string(name)), made.error());
    }
    return {};
}

}  // namespace lockstep
