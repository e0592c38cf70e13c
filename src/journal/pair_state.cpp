#include "journal/pair_state.hpp"

#include <array>
#include <cstddef>

namespace lockstep {
namespace {

using enum PairState;

constexpr std::size_t kStates = static_cast<std::size_t>(parked) + 1;

constexpr std::size_t index_of(PairState state) { return static_cast<std::size_t>(state); }

constexpr std::array<std::string_view, kStates> kNames = {
    "pending",     "first-begun",      "first-not-applied",      "first-refused",
    "first-done",  "second-begun",     "second-not-applied",     "second-refused",
    "done",        "compensate-begun", "compensate-not-applied", "compensate-refused",
    "compensated", "parked",
};

// clang-format off
// One row a state on record, one column a state that may be written over it, both in the order of the enumeration.
// A state over itself is another attempt of the same phase, or a note about the pair; over `parked`, and pending over `done`,
// what a person decided; done over first_begun, a step without a second phase; second_refused over first_done, a second request that cannot even be made.
constexpr std::array<std::string_view, kStates> kMayFollow = {
    //                          p fb fn fr fd sb sn sr  d cb cn cr  c  P
    /* pending                */"x  x  .  .  .  .  .  .  .  .  .  .  .  x",
    /* first_begun            */".  x  x  x  x  .  .  .  x  .  .  .  .  x",
    /* first_not_applied      */"x  x  x  x  .  .  .  .  .  .  .  .  .  x",
    /* first_refused          */"x  x  .  x  .  .  .  .  .  .  .  .  .  x",
    /* first_done             */".  .  .  .  x  x  .  x  x  x  .  .  .  x",
    /* second_begun           */".  .  .  .  .  x  x  x  x  .  .  .  .  x",
    /* second_not_applied     */".  .  .  .  .  x  x  x  .  x  .  .  .  x",
    /* second_refused         */".  .  .  .  .  .  .  x  .  x  .  .  .  x",
    /* done                   */"x  .  .  .  .  .  .  .  x  .  .  .  .  .",
    /* compensate_begun       */".  .  .  .  .  .  .  .  .  x  x  x  x  x",
    /* compensate_not_applied */".  .  .  .  .  .  .  .  .  x  x  x  .  x",
    /* compensate_refused     */".  .  .  .  .  .  .  .  .  .  .  .  .  x",
    /* compensated            */"x  x  .  .  .  .  .  .  .  .  .  .  .  x",
    /* parked                 */"x  .  x  .  x  .  x  .  x  x  x  .  x  x",
};
// clang-format on

constexpr std::size_t kColumnWidth = 3;

constexpr bool table_is_square() {
    for (const std::string_view row : kMayFollow) {
        if (row.size() != kColumnWidth * (kStates - 1) + 1) return false;
    }
    return true;
}
static_assert(table_is_square());

}  // namespace

std::string_view to_string(PairState state) { return kNames[index_of(state)]; }

std::optional<PairState> pair_state_from(std::string_view name) {
    for (std::size_t i = 0; i < kStates; ++i) {
        if (kNames[i] == name) return static_cast<PairState>(i);
    }
    return std::nullopt;
}

std::optional<PhaseName> phase_of(PairState state) {
    switch (state) {
        case first_begun:
        case first_not_applied:
        case first_refused:
        case first_done: return PhaseName::first;
        case second_begun:
        case second_not_applied:
        case second_refused: return PhaseName::second;
        case compensate_begun:
        case compensate_not_applied:
        case compensate_refused: return PhaseName::compensate;
        case pending:
        case done:
        case compensated:
        case parked: return std::nullopt;
    }
    return std::nullopt;
}

bool may_follow(PairState from, PairState to) { return kMayFollow[index_of(from)][kColumnWidth * index_of(to)] == 'x'; }

bool is_open(PairState state) {
    switch (state) {
        case first_begun:
        case first_done:
        case second_begun:
        case second_not_applied:
        case second_refused:
        case compensate_begun:
        case compensate_not_applied:
        case compensate_refused: return true;
        case pending:
        case first_not_applied:
        case first_refused:
        case done:
        case compensated:
        case parked: return false;
    }
    return false;
}

bool has_failed(PairState state) { return state == PairState::first_refused || state == PairState::compensated; }

bool is_in_doubt(PairState state) { return state == first_begun || state == second_begun || state == compensate_begun; }

}  // namespace lockstep
