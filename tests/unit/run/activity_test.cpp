#include "run/activity.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;

TEST_CASE("a phase is in hand until it is left, by whatever way", "[activity]") {
    Bell begun = std::move(*Bell::create());
    ActivityBoard board(2, begun);
    const auto phase_that_fails = [&]() -> Result<void> {
        const PhaseInHand in_hand(board, 1, {"o17", "pay", "second", monotonic_now(), Millis{20'000}});
        CHECK(board.brief() == "o17, second");
        return fail(Failure::journal, "the disk is full");
    };
    CHECK_FALSE(phase_that_fails());
    CHECK(board.brief().empty());
    CHECK(board.describe(monotonic_now()).empty());
}
