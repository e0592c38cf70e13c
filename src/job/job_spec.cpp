#include "job/job_spec.hpp"

#include <algorithm>
#include <array>

namespace lockstep {

std::string_view to_string(InDoubtPolicy policy) {
    switch (policy) {
        case InDoubtPolicy::probe: return "probe";
        case InDoubtPolicy::resend: return "resend";
        case InDoubtPolicy::park: return "park";
    }
    return "";
}

bool HttpSpec::method_is_idempotent() const {
    constexpr std::array<std::string_view, 6> kIdempotent = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    return std::ranges::find(kIdempotent, method) != kIdempotent.end();
}

Millis PhaseSpec::longest() const {
    const bool probes_by_command = probe && std::holds_alternative<CommandSpec>(probe->action);
    return deadline + (command() != nullptr || probes_by_command ? kTermToKill : Millis{0});
}

bool PhaseSpec::can_resend() const {
    return idempotency || idempotent || (http() != nullptr && http()->method_is_idempotent());
}

const PhaseSpec* StepSpec::phase(PhaseName which) const {
    switch (which) {
        case PhaseName::first: return &first;
        case PhaseName::second: return second ? &*second : nullptr;
        case PhaseName::compensate: return compensate ? &*compensate : nullptr;
    }
    return nullptr;
}

Millis StepSpec::longest_pair() const {
    Millis sum = first.longest();
    if (second) sum += second->longest();
    if (compensate) sum += compensate->longest();
    return sum;
}

const StepSpec* JobSpec::step(std::string_view which) const {
    const auto found = std::ranges::find(steps, which, &StepSpec::name);
    return found != steps.end() ? &*found : nullptr;
}

Millis JobSpec::longest_pair() const {
    Millis sum{0};
    Millis most{0};
    for (const StepSpec& each : steps) {
        sum += each.longest_pair();
        most = std::max(most, each.longest_pair());
    }
    return section == Section::item ? sum : most;
}

}  // namespace lockstep
