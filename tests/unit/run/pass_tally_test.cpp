#include "run/pass_tally.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;

TEST_CASE("A tally counts each item under its end, and names those that no earlier pass told of") {
    PassTally tally;
    tally.count(PairEnd::done, "a");
    tally.count(PairEnd::skipped, "b");
    tally.count(PairEnd::failed, "c");
    tally.count(PairEnd::parked, "d");
    tally.count(PairEnd::still_parked, "e");
    tally.count(PairEnd::waits, "f");
    tally.count(PairEnd::open, "g");
    tally.count(PairEnd::cut, "h");
    tally.count(PairEnd::left, "i");
    tally.count_bad("line 7: no JSON", false);
    tally.count_bad("line 8: no JSON", true);
    tally.count_left(2);
    tally.count_skipped();
    const PassResult result = tally.take();
    CHECK(summary_text(result, Millis{0}) ==
          "done 1, failed 4, parked 2, left 3 in 0.0s; 2 done before; 2 half done; "
          "1 not tried again yet (--only f does it now); 2 told of before (status tells of items again, "
          "--log-level debug of records, too)");
    CHECK(result.failed_items == std::vector<std::string>{"c", "g", "line 7: no JSON"});
    CHECK(result.parked_items == std::vector<std::string>{"d"});
    CHECK(result.told_before == 3);
}

TEST_CASE("What an earlier run left open is counted once, and as settled only if it came to an end") {
    PassTally tally;
    tally.count_earlier(PairEnd::done, "a", true);
    tally.count_earlier(PairEnd::open, "b", false);
    CHECK(tally.is_counted_earlier("a"));
    CHECK_FALSE(tally.is_counted_earlier("c"));
    CHECK(summary_text(tally.result(), Millis{0}) ==
          "done 1, failed 0, parked 0, left 0 in 0.0s; 1 of an earlier run settled; 1 half done");
}

TEST_CASE("What the end of the pass came before is half done, and nobody's failure") {
    PassTally tally;
    tally.count_earlier(PairEnd::done, "a", true);
    tally.count_earlier(PairEnd::not_reached, "b", false);
    tally.end_with(ExitStatus::try_again, "stopped with work left");
    tally.judge_items();
    const PassResult result = tally.take();
    CHECK(summary_text(result, Millis{0}) ==
          "done 1, failed 0, parked 0, left 0 in 0.0s; 1 of an earlier run settled; 1 half done, 1 of them not looked at");
    CHECK(result.status == ExitStatus::try_again);
    CHECK(result.failed_items.empty());
    CHECK(result.ended_because == "stopped with work left");
}

TEST_CASE("How much is left is no number that nobody has counted") {
    PassTally tally;
    tally.count_left(306);
    tally.more_may_be_left();
    CHECK(summary_text(tally.result(), Millis{0}) == "done 0, failed 0, parked 0, left 306 or more in 0.0s");
}

TEST_CASE("A pass says that all items are done only where none of them failed and none is left") {
    const auto end_of = [](PairEnd end) {
        PassTally tally;
        tally.count(end, "a");
        tally.judge_items();
        return tally.take().ended_because;
    };
    CHECK(end_of(PairEnd::done) == kAllItemsDone);
    CHECK(end_of(PairEnd::skipped) == kAllItemsDone);
    for (const PairEnd end :
         {PairEnd::failed, PairEnd::parked, PairEnd::still_parked, PairEnd::open, PairEnd::waits, PairEnd::left})
        CHECK(end_of(end) == "gone through all items");
}

TEST_CASE("The gravest reason ends a pass, and of errors the first is told") {
    PassTally tally;
    tally.end_with(ExitStatus::try_again, "stopped");
    tally.end_with(Error{Failure::journal, "the disk is full"});
    tally.end_with(Error{Failure::lock, "lock lost"});
    tally.end_with(ExitStatus::some_failed, "too many failures");
    const PassResult result = tally.take();
    CHECK(result.status == ExitStatus::journal);
    CHECK(result.ended_because == "the disk is full");
    REQUIRE(result.error);
    CHECK(result.error->text == "the disk is full");
}
