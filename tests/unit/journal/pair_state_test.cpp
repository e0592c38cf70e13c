#include "journal/pair_state.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>
#include <vector>

namespace lockstep {
namespace {

std::vector<PairState> all_states() {
    std::vector<PairState> states;
    for (int i = 0; i <= static_cast<int>(PairState::parked); ++i) states.push_back(static_cast<PairState>(i));
    return states;
}

TEST_CASE("every state has a name of its own that is read back", "[pair_state]") {
    std::set<std::string_view> names;
    for (const PairState state : all_states()) {
        CHECK(pair_state_from(to_string(state)) == state);
        CHECK(names.insert(to_string(state)).second);
    }
    CHECK(to_string(PairState::compensate_not_applied) == "compensate-not-applied");
    CHECK(pair_state_from("First-begun") == std::nullopt);
}

TEST_CASE("the way of a pair that goes well, is refused, and is compensated is open", "[pair_state]") {
    using enum PairState;
    const std::vector<std::vector<PairState>> ways = {
        {pending, first_begun, first_done, second_begun, done},
        {pending, first_begun, first_done, done},
        {pending, first_begun, first_not_applied, first_begun, first_begun, first_done},
        {first_not_applied, pending, first_begun, first_refused, first_begun},
        {second_begun, second_not_applied, second_begun, second_begun, done},
        {second_begun, second_refused, compensate_begun, compensate_not_applied, compensate_begun, compensated, first_begun},
        {second_not_applied, compensate_begun, compensate_refused, parked, done},
    };
    for (const auto& way : ways) {
        for (std::size_t i = 1; i < way.size(); ++i) {
            INFO(to_string(way[i - 1]) << " -> " << to_string(way[i]));
            CHECK(may_follow(way[i - 1], way[i]));
        }
    }
}

TEST_CASE("only a person's decision to begin again is written over done", "[pair_state]") {
    for (const PairState next : all_states()) {
        INFO(to_string(next));
        // done over done: a note about the pair, such as that its item owes no more steps.
        CHECK(may_follow(PairState::done, next) == (next == PairState::done || next == PairState::pending));
    }
}

TEST_CASE("a first phase is never compensated while the second is in doubt", "[pair_state]") {
    CHECK_FALSE(may_follow(PairState::second_begun, PairState::compensate_begun));
    CHECK_FALSE(may_follow(PairState::first_begun, PairState::compensate_begun));
}

TEST_CASE("a second phase begins only after the first is known to be done", "[pair_state]") {
    for (const PairState before : all_states()) {
        const bool allowed =
            before == PairState::first_done || before == PairState::second_begun || before == PairState::second_not_applied;
        CHECK(may_follow(before, PairState::second_begun) == allowed);
    }
}

TEST_CASE("every doubt can be resolved or parked, and every open state leads on", "[pair_state]") {
    for (const PairState state : all_states()) {
        INFO(to_string(state));
        if (is_in_doubt(state)) CHECK(is_open(state));
        if (is_open(state)) CHECK(may_follow(state, PairState::parked));
    }
    CHECK_FALSE(is_open(PairState::parked));
    CHECK_FALSE(is_open(PairState::first_not_applied));
    CHECK(is_open(PairState::second_not_applied));
}

}  // namespace
}  // namespace lockstep
