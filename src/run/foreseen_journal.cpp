#include "run/foreseen_journal.hpp"

#include <algorithm>

namespace lockstep {

Result<ForeseenJournal> ForeseenJournal::open(const SqliteJournalOptions& options) {
    ForeseenJournal journal;
    auto reader = JournalReader::open(options);
    if (!reader) return std::unexpected(std::move(reader.error()));
    if (!*reader) return journal;
    if (auto ours = (*reader)->check_whose_it_is(options.job); !ours) return std::unexpected(std::move(ours.error()));
    journal.reader_ = std::move(*reader);
    if (auto applied = journal.apply_decisions(); !applied) return std::unexpected(std::move(applied.error()));
    return journal;
}

Result<void> ForeseenJournal::apply_decisions() {
    auto waiting = reader_->waiting_decisions();
    if (!waiting) return std::unexpected(std::move(waiting.error()));
    std::ranges::reverse(*waiting);  // the oldest first
    for (DecisionLine& line : *waiting) {
        Decision& decision = line.decision;
        auto pairs = pairs_of(decision.item_key);
        if (!pairs) return std::unexpected(std::move(pairs.error()));
        const auto found = std::ranges::find(*pairs, decision.step, &Pair::step);
        auto [told, next] = foresee(found != pairs->end() ? std::optional(std::move(*found)) : std::nullopt, decision);
        decisions_.push_back(std::move(told));
        if (next) decided_.insert_or_assign({next->item_key, next->step}, std::move(*next));
    }
    return {};
}

Result<std::vector<Pair>> ForeseenJournal::pairs_of(const std::string& item_key) {
    if (!reader_) return {};
    auto pairs = reader_->pairs_of(item_key);
    if (!pairs || decided_.empty()) return pairs;
    for (Pair& pair : *pairs) {
        if (const auto decided = decided_.find({pair.item_key, pair.step}); decided != decided_.end()) pair = decided->second;
    }
    return pairs;
}

Result<std::vector<UnfinishedPair>> ForeseenJournal::unfinished() {
    if (!reader_) return {};
    auto pairs = reader_->unfinished_in_brief();
    if (!pairs || decided_.empty()) return pairs;
    std::erase_if(*pairs, [this](const UnfinishedPair& pair) { return decided_.contains({pair.item_key, pair.step}); });
    for (const auto& [key, pair] : decided_) {
        if (is_unfinished(pair)) pairs->push_back({pair.item_key, pair.step, pair.state, pair.not_before_ms});
    }
    return pairs;
}

}  // namespace lockstep
