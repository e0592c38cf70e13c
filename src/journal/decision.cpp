#include <array>

#include "journal/journal.hpp"

namespace lockstep {
namespace {

constexpr std::array<std::string_view, 5> kVerbs = {"applied", "not-applied", "compensate", "again", "park"};

}  // namespace

std::string_view to_string(DecisionVerb verb) { return kVerbs[static_cast<std::size_t>(verb)]; }

std::optional<DecisionVerb> decision_verb_from(std::string_view name) {
    for (std::size_t i = 0; i < kVerbs.size(); ++i) {
        if (kVerbs[i] == name) return static_cast<DecisionVerb>(i);
    }
    return std::nullopt;
}

}  // namespace lockstep
