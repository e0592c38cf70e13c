#include "journal/apply_decisions.hpp"

#include "journal/decide.hpp"

namespace lockstep {

std::pair<AppliedDecision, std::optional<Pair>> foresee(const std::optional<Pair>& found, const Decision& decision) {
    auto next = found ? decide(*found, decision) : Result<Pair>(fail(Failure::usage, "there is no such pair"));
    AppliedDecision one;
    one.decision = decision;
    one.outcome = next ? "now " + std::string(to_string(next->state)) : next.error().text;
    one.applied = next.has_value();
    one.state = next ? next->state : PairState::pending;
    one.asked_for = next && next->owes_steps;
    return {std::move(one), next ? std::optional(std::move(*next)) : std::nullopt};
}

Result<std::vector<AppliedDecision>> apply_decisions(Journal& journal) {
    const auto waiting = journal.pending_decisions();
    if (!waiting) return std::unexpected(waiting.error());
    std::vector<AppliedDecision> all;
    for (const Decision& decision : *waiting) {
        const auto pair = journal.find(decision.item_key, decision.step);
        if (!pair) return std::unexpected(pair.error());
        auto [one, next] = foresee(*pair, decision);
        if (auto written = journal.apply(decision, next ? &*next : nullptr, one.outcome); !written)
            return std::unexpected(written.error());
        all.push_back(std::move(one));
    }
    if (all.empty()) return all;
    if (auto flushed = journal.flush(); !flushed) return std::unexpected(std::move(flushed.error()));
    return all;
}

}  // namespace lockstep
