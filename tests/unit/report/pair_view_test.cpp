// A pair as people see it: everything that is needed to decide about it, and no secret.

#include "report_support.hpp"

using namespace lockstep;
using namespace lockstep::test;

TEST_CASE("a parked pair is shown with phase, request, last answer, age and the commands that settle it", "[report]") {
    const std::string text = pair_text(charge("north/o 17", PairState::parked, PairState::first_begun), {"ship", ""}, kNow);
    INFO(text);
    CHECK(contains(text, "north/o 17, charge: parked in its first phase for 1h 00m, 4 attempts in 1 pass\n"));
    CHECK(contains(text, "last answer: no answer within 5s\n"));
    CHECK(contains(text,
                   "lockstep resolve ship 'north/o 17' --step charge --applied --output rid=… | --not-applied | --again\n"));
}

TEST_CASE("the commands that settle a pair can be pasted into a shell, whatever its key and its journal's place", "[report]") {
    const auto text = [](const std::string& key, const std::string& directory) {
        return pair_text(charge(key, PairState::parked, PairState::first_begun), {"ship", directory}, kNow);
    };
    CHECK(contains(text("o1", "/srv/my state"), "resolve ship o1 --state-dir '/srv/my state' --step charge --applied"));
    CHECK(contains(text("-o1", ""), "resolve ship --step charge --applied --output rid=… | --not-applied | --again -- -o1\n"));
    CHECK(contains(text("a\tb'c\n", ""), R"(resolve ship $'a\tb\'c\n' --step)"));
    CHECK(contains(text("a\\\x1b", ""), R"(resolve ship $'a\\\x1b' --step)"));
    const std::string long_key(1000, 'k');
    CHECK(contains(text(long_key, ""), "resolve ship " + long_key + " --step"));
}

TEST_CASE("only a pair whose first phase took effect is said to be able to be compensated", "[report]") {
    CHECK_FALSE(
        contains(pair_text(charge("o1", PairState::parked, PairState::first_begun), {"ship", ""}, kNow), "--compensate"));
    CHECK(contains(pair_text(charge("o1", PairState::parked, PairState::second_begun), {"ship", ""}, kNow),
                   "--applied | --not-applied | --compensate | --again"));
}

TEST_CASE("a request is shown as the line that could be typed, its secrets as stars", "[report]") {
    Pair pair = charge("o1", PairState::parked, PairState::first_begun);
    CHECK(redacted_request(pair).find("curl -X POST http://h/r") == 0);
    CHECK(contains(redacted_request(pair), "Bearer ***"));
    pair.request = R"({"command":{"argv":["./b","o1"],"env":[["TOKEN","{$secrets.token}"]]}})";
    CHECK(contains(redacted_request(pair), "./b o1"));
    CHECK_FALSE(contains(redacted_request(pair), "secrets"));
    pair.request.clear();
    CHECK(redacted_request(pair).empty());
    pair.request = "{";
    CHECK(redacted_request(pair) == "(cannot be read)");
}

TEST_CASE("an open pair is shown with its state, and nothing to decide", "[report]") {
    Pair pair = charge("o1", PairState::second_not_applied);
    pair.not_before_ms = kNow + 60'000;
    const std::string text = pair_text(pair, {"ship", ""}, kNow);
    CHECK(contains(text, "o1, charge: second-not-applied for 1h 00m"));
    CHECK(contains(text, "tried again: not before "));
    CHECK_FALSE(contains(text, "resolve"));
    pair.state = PairState::done;
    pair.owes_steps = true;
    CHECK(contains(pair_text(pair, {"ship", ""}, kNow), "done, but its item is to be gone on with"));
}

TEST_CASE("the phase in hand of every state", "[report]") {
    CHECK(phase_in_hand(charge("o1", PairState::first_begun)) == "first");
    CHECK(phase_in_hand(charge("o1", PairState::second_refused)) == "second");
    CHECK(phase_in_hand(charge("o1", PairState::compensate_not_applied)) == "compensate");
    CHECK(phase_in_hand(charge("o1", PairState::parked, PairState::compensate_begun)) == "compensate");
    CHECK(phase_in_hand(charge("o1", PairState::compensated)).empty());
    CHECK(phase_in_hand(charge("o1", PairState::done)).empty());
    CHECK(phase_in_hand(charge("o1", PairState::pending)).empty());
}

TEST_CASE("control characters of keys and answers do not reach the terminal", "[report]") {
    Pair pair = charge("o1\x1b[2J", PairState::parked, PairState::first_begun);
    pair.reason = "bad\nanswer";
    const std::string text = pair_text(pair, {"ship", ""}, kNow);
    CHECK_FALSE(contains(text, "\x1b"));
    CHECK(contains(text, "bad\\nanswer"));
}

TEST_CASE("the JSON of a pair has the keys of the manual", "[report]") {
    const Json json = pair_json(charge("o1", PairState::parked, PairState::first_begun), kNow);
    std::string keys;
    for (const JsonMember& member : json.members) keys += member.key + " ";
    CHECK(keys ==
          "item step state parkedFrom phase request lastAnswer attempts passes generation begun changed ageMs notBefore "
          "run possible outputsToState ");
    CHECK(json.find("parkedFrom")->text == "first-begun");
    CHECK(json.find("ageMs")->text == "3600000");
    CHECK(json.find("notBefore")->is_null());
    CHECK(to_text(*json.find("possible")) == R"(["applied","not-applied","again"])");
    CHECK(to_text(*json.find("outputsToState")) == R"(["rid"])");
    const Json open = pair_json(charge("o1", PairState::second_refused), kNow);
    CHECK(open.find("parkedFrom")->is_null());
    CHECK(to_text(*open.find("possible")) == "[]");
    CHECK(to_text(*open.find("outputsToState")) == "[]");
}
