#include "run/item_course.hpp"

#include <algorithm>

namespace lockstep {

namespace {

/// The terms of a pair that is begun now.
PairTerms terms_of(const PassContext& pass, const StepSpec& step) {
    const JobSpec& job = pass.job;
    return {
        job.params, pass.secrets, job.max_pair_attempts, job.park_after, &step == &job.steps.back(), pass.is_in_midst(&step)};
}

}  // namespace

Result<PairEnd> ItemCourse::run(const std::string& item_key, const Json& inputs) {
    StepOutputs outputs;
    PairEnd end = PairEnd::skipped;
    const StepSpec* before = nullptr;
    for (const StepSpec& step : pass_.job.steps) {
        const bool indivisible = pass_.job.section == Section::item;
        if (end == PairEnd::done && !indivisible && !pass_.may_begin()) return PairEnd::left;
        const auto result = executor_.execute(step, item_key, inputs, terms_of(pass_, step), outputs);
        if (!result || *result == PairEnd::left) return result;
        // Only now: a crash in between would leave an item that nothing remembers to be half way through.
        if (before != nullptr) {
            if (auto cleared = clear_debt(pass_.journal, item_key, before->name); !cleared)
                return std::unexpected(cleared.error());
        }
        before = &step;
        if (*result == PairEnd::skipped) continue;
        end = *result;
        if (end != PairEnd::done) break;
    }
    return end;
}

bool is_done(const PassContext& pass, const std::string& item_key) {
    return std::ranges::all_of(pass.job.steps, [&](const StepSpec& step) {
        const auto pair = pass.journal.find(item_key, step.name);
        return pair && *pair && (*pair)->state == PairState::done;
    });
}

Result<void> clear_debt(Journal& journal, const std::string& item_key, const std::string& step) {
    auto pair = journal.find(item_key, step);
    if (!pair) return std::unexpected(pair.error());
    if (!*pair || !(*pair)->owes_steps) return {};
    (*pair)->owes_steps = false;
    return journal.write(**pair, Durability::ordered);
}

}  // namespace lockstep
