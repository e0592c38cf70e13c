#include "run/unfinished_items.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace lockstep {

bool UnfinishedItem::is_parked() const {
    return std::ranges::any_of(pairs, [](const UnfinishedPair& pair) { return pair.state == PairState::parked; });
}

bool UnfinishedItem::begins_anew(const JobSpec& job) const {
    return std::ranges::all_of(pairs, [&job](const UnfinishedPair& pair) {
        return pair.state == PairState::pending && job.step(pair.step) != nullptr;
    });
}

std::vector<UnfinishedItem> unfinished_items(std::vector<UnfinishedPair> pairs, const std::optional<std::string>& wanted) {
    std::vector<UnfinishedItem> items;
    std::unordered_map<std::string, std::size_t> places;
    for (UnfinishedPair& pair : pairs) {
        const auto [place, is_new] = places.try_emplace(pair.item_key, items.size());
        if (is_new) items.push_back({pair.item_key, {}});
        items[place->second].pairs.push_back(std::move(pair));
    }
    std::ranges::stable_partition(items, [&wanted](const UnfinishedItem& item) { return item.key == wanted; });
    return items;
}

}  // namespace lockstep
