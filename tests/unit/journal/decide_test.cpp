// What people decide about parked pairs: every verb in every phase, and what it may not be.

#include "journal/decide.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "job/job_file.hpp"

using namespace lockstep;
using enum PairState;

namespace {

constexpr char kFirst[] = R"({"http": {"method": "PUT", "url": "http://h/1"},
    "outputs": {"rid": "$response.body#/id", "at": "$response.body#/at"})";
constexpr char kSecond[] =
    R"({"command": {"argv": ["./b"], "outputs": {"n": "$stdout"}}, "timeout": "1s", "inDoubt": ["park"]})";
constexpr char kUndo[] = R"({"http": {"method": "DELETE", "url": "http://h/1"}})";

std::string definition(bool second, bool compensate) {
    std::string first = kFirst;
    if (compensate) first += R"(, "compensate": )" + std::string(kUndo);
    const std::string step =
        R"({"step": "s", "first": )" + first + "}" + (second ? R"(, "second": )" + std::string(kSecond) : "");
    const auto job = parse_job(R"({"lockstep": 1, "job": "a", "steps": [)" + step + "}]}", "a.json", "/jobs", {});
    INFO((job ? "" : job.error().error.text));
    REQUIRE(job.has_value());
    return job->steps.front().definition;
}

Pair pair_in(PairState state, PairState parked_from = pending) {
    Pair pair;
    pair.item_key = "o17";
    pair.step = "s";
    pair.state = state;
    pair.parked_from = parked_from;
    pair.generation = 2;
    pair.attempt = 7;
    pair.pair_attempts = 10;
    pair.not_before_ms = 5;
    pair.phase_begun_ms = 4;
    pair.item = R"({"orderId":"o17"})";
    pair.definition = definition(true, true);
    pair.request = R"({"http":{}})";
    pair.outputs = R"({"first":{"rid":"r1","at":1}})";
    pair.reason = "no answer within 5s";
    pair.run_id = "r";
    pair.begun_ms = 1;
    return pair;
}

Pair parked_in(PairState from) {
    Pair pair = pair_in(parked, from);
    if (from == pending) pair.outputs.clear();
    return pair;
}

Decision verb(DecisionVerb what, const std::string& outputs = "{}") {
    Decision decision;
    decision.item_key = "o17";
    decision.step = "s";
    decision.verb = what;
    decision.outputs = outputs;
    decision.by = "alice";
    decision.decided_ms = 99;
    return decision;
}

constexpr char kFirstOutputs[] = R"({"rid":"r9","at":1.10})";
constexpr char kSecondOutputs[] = R"({"n":"5"})";

Pair decided(const Pair& pair, DecisionVerb what, const std::string& outputs = "{}") {
    const auto next = decide(pair, verb(what, outputs));
    INFO((next ? "" : next.error().text));
    REQUIRE(next.has_value());
    CHECK(may_follow(pair.state, next->state));
    return *next;
}

std::string refused(const Pair& pair, DecisionVerb what, const std::string& outputs = "{}") {
    const auto next = decide(pair, verb(what, outputs));
    REQUIRE_FALSE(next.has_value());
    return next.error().text;
}

using enum DecisionVerb;
constexpr PairState kFirsts[] = {pending, first_begun, first_not_applied, first_refused};
constexpr PairState kSeconds[] = {first_done, second_begun, second_not_applied, second_refused};
constexpr PairState kCompensates[] = {compensate_begun, compensate_not_applied, compensate_refused};

}  // namespace

TEST_CASE("a pair parked in its first phase goes on as a person found it", "[decide]") {
    for (const PairState from : kFirsts) {
        INFO(to_string(from));
        const Pair applied_first = decided(parked_in(from), applied, kFirstOutputs);
        CHECK(applied_first.state == first_done);
        CHECK(applied_first.outputs == R"({"first":{"rid":"r9","at":1.10}})");
        CHECK(applied_first.generation == 2);
        CHECK(decided(parked_in(from), not_applied).state == first_not_applied);
        CHECK(decided(parked_in(from), not_applied).generation == 2);
        CHECK(decided(parked_in(from), again).state == pending);
        CHECK(decided(parked_in(from), again).generation == 3);
        CHECK(decided(parked_in(from), again).outputs.empty());
    }
}

TEST_CASE("a first phase that was applied is the whole of a step without a second", "[decide]") {
    Pair pair = parked_in(first_begun);
    pair.definition = definition(false, false);
    pair.outputs.clear();
    const Pair next = decided(pair, applied, kFirstOutputs);
    CHECK(next.state == done);
    CHECK(next.outputs == R"({"first":{"rid":"r9","at":1.10}})");
}

TEST_CASE("a pair parked in its second phase goes on as a person found it", "[decide]") {
    for (const PairState from : kSeconds) {
        INFO(to_string(from));
        const Pair finished = decided(parked_in(from), applied, kSecondOutputs);
        CHECK(finished.state == done);
        CHECK(finished.outputs == R"({"first":{"rid":"r1","at":1},"second":{"n":"5"}})");
        CHECK(decided(parked_in(from), not_applied).state == second_not_applied);
        CHECK(decided(parked_in(from), not_applied).generation == 2);
        CHECK(decided(parked_in(from), compensate).state == compensate_not_applied);
        const Pair anew = decided(parked_in(from), again);
        CHECK(anew.state == second_not_applied);
        CHECK(anew.generation == 3);
        CHECK(anew.outputs == R"({"first":{"rid":"r1","at":1}})");
    }
}

TEST_CASE("a pair parked in its compensation goes on as a person found it", "[decide]") {
    for (const PairState from : kCompensates) {
        INFO(to_string(from));
        CHECK(decided(parked_in(from), applied).state == compensated);
        CHECK(decided(parked_in(from), not_applied).state == compensate_not_applied);
        CHECK(decided(parked_in(from), not_applied).generation == 2);
        CHECK(decided(parked_in(from), again).state == compensate_not_applied);
        CHECK(decided(parked_in(from), again).generation == 3);
    }
}

TEST_CASE("a pair parked by journal version 1, which did not say in what, never begins its first phase twice", "[decide]") {
    Pair pair = pair_in(parked, pending);
    CHECK(parked_phase(pair) == "second");
    CHECK(decided(pair, not_applied).state == second_not_applied);
}

TEST_CASE("a pair that has ended is begun again under a new key", "[decide]") {
    for (const PairState state : {done, first_refused, compensated}) {
        INFO(to_string(state));
        const Pair next = decided(pair_in(state), again);
        CHECK(next.state == pending);
        CHECK(next.generation == 3);
        CHECK(next.outputs.empty());
    }
    CHECK(decided(parked_in(compensated), again).state == pending);
}

TEST_CASE("a pair that is begun anew tells whether anything was ever sent of it", "[decide]") {
    Pair untouched = parked_in(pending);
    untouched.phase_begun_ms = 0;
    CHECK(decided(untouched, again).phase_begun_ms == 0);
    CHECK(decided(parked_in(first_begun), again).phase_begun_ms != 0);
    CHECK(decided(pair_in(done), again).phase_begun_ms != 0);
}

TEST_CASE("a decision starts every count anew, and says who made it", "[decide]") {
    const Pair next = decided(parked_in(second_begun), not_applied);
    CHECK(next.attempt == 0);
    CHECK(next.pair_attempts == 0);
    CHECK(next.not_before_ms == 0);
    CHECK(next.phase_begun_ms == 0);
    CHECK(next.parked_from == pending);
    CHECK(next.request.empty());
    CHECK(next.reason == "decided by alice: not applied");
    CHECK(next.changed_ms == 99);
    CHECK(next.begun_ms == 1);
    CHECK(next.item == R"({"orderId":"o17"})");
    CHECK(next.definition == pair_in(done).definition);
}

TEST_CASE("what was decided to be gone through stays open though its source lists it no longer", "[decide]") {
    CHECK(decided(parked_in(second_begun), applied, kSecondOutputs).owes_steps);
    CHECK(decided(parked_in(first_begun), again).owes_steps);
    CHECK(decided(pair_in(done), again).owes_steps);
    CHECK_FALSE(decided(parked_in(first_begun), not_applied).owes_steps);
}

TEST_CASE("an open pair whose phase certainly had no effect can be tried at once, and nothing else be said of it", "[decide]") {
    for (const PairState state : {first_done, second_not_applied, compensate_not_applied}) {
        INFO(to_string(state));
        const Pair next = decided(pair_in(state), not_applied);
        CHECK(next.state == state);
        CHECK(next.generation == 2);
        CHECK(next.pair_attempts == 0);
        CHECK(next.not_before_ms == 0);
        CHECK(next.outputs == pair_in(state).outputs);
        CHECK(decided(pair_in(state), again).state == state);
        CHECK(decided(pair_in(state), again).generation == 3);
        for (const DecisionVerb what : {applied, compensate})
            CHECK(refused(pair_in(state), what).find("possible: --not-applied --again") != std::string::npos);

        Decision anew = verb(not_applied);
        anew.definition = definition(false, false);
        REQUIRE_FALSE(decide(pair_in(state), anew));
        anew.definition = definition(true, true);
        CHECK(decide(pair_in(state), anew)->definition == anew.definition);
    }
}

TEST_CASE("of a pair in doubt can be said that it took effect, or that its rules shall give up, and nothing that may change",
          "[decide]") {
    for (const PairState state : {first_begun, second_begun, compensate_begun}) {
        INFO(to_string(state));
        const Pair open = pair_in(state, pending);
        const Pair waiting = parked_in(state);
        CHECK(possible_decisions(open) == std::vector{applied, park});
        CHECK(outputs_to_state(open) == outputs_to_state(waiting));
        const std::string outputs = state == compensate_begun ? "{}" : state == first_begun ? kFirstOutputs : kSecondOutputs;
        const Pair settled = decided(open, applied, outputs);
        CHECK(settled.state == decided(waiting, applied, outputs).state);
        CHECK(settled.outputs == decided(waiting, applied, outputs).outputs);

        const Pair parked_now = decided(open, park);
        CHECK(parked_now.state == parked);
        CHECK(parked_now.parked_from == state);
        CHECK(parked_now.generation == open.generation);
        CHECK(parked_now.attempt == open.attempt);
        CHECK(parked_now.request == open.request);
        CHECK(parked_now.outputs == open.outputs);
        CHECK(parked_now.reason == "parked by alice; before that: " + open.reason);
        CHECK(parked_phase(parked_now) == parked_phase(waiting));
        for (const DecisionVerb what : {not_applied, compensate, again})
            CHECK(refused(open, what).find("possible: --applied --park") != std::string::npos);
    }
    for (const PairState state : {pending, first_done, second_not_applied, done, first_refused, parked})
        CHECK_FALSE(decide(pair_in(state), verb(park)));
}

TEST_CASE("what has not begun, or is refused, nobody can decide, and what has ended only begin again", "[decide]") {
    for (const PairState state : {pending, first_not_applied, second_refused, compensate_refused}) {
        INFO(to_string(state));
        for (const DecisionVerb what : {applied, not_applied, compensate, again})
            CHECK(refused(pair_in(state), what).find("waits for nobody") != std::string::npos);
    }
    for (const PairState state : {done, first_refused, compensated}) {
        for (const DecisionVerb what : {applied, not_applied, compensate}) {
            INFO(to_string(state));
            CHECK(refused(pair_in(state), what).find("possible: --again") != std::string::npos);
        }
    }
}

TEST_CASE("only a first phase that has taken effect can be compensated", "[decide]") {
    CHECK(
        refused(parked_in(first_begun), compensate) ==
        "o17, step s: it was parked in its first phase, where --compensate is not possible; possible: --applied --not-applied "
        "--again");
    CHECK(refused(parked_in(compensate_begun), compensate).find("--compensate is not possible") != std::string::npos);
    Pair without = parked_in(second_begun);
    without.definition = definition(true, false);
    CHECK(refused(without, compensate).find("no compensate is declared") != std::string::npos);
    CHECK(decided(without, not_applied).state == second_not_applied);
}

TEST_CASE("a phase that is said to be applied needs its outputs, all and no others", "[decide]") {
    CHECK(refused(parked_in(first_begun), applied).find("missing: rid, at") != std::string::npos);
    CHECK(refused(parked_in(first_begun), applied, R"({"rid":"r9"})").find("missing: at ") != std::string::npos);
    CHECK(refused(parked_in(first_begun), applied, R"({"rid":null,"at":1})").find("missing: rid ") != std::string::npos);
    CHECK(refused(parked_in(first_begun), applied, R"({"rid":"r9","at":1,"rdi":1})").find("no output \"rdi\"") !=
          std::string::npos);
    CHECK(refused(parked_in(second_begun), applied, "[]").find("no JSON object") != std::string::npos);
    CHECK(outputs_to_state(parked_in(first_begun)) == std::vector<std::string>{"rid", "at"});
    CHECK(outputs_to_state(parked_in(second_begun)) == std::vector<std::string>{"n"});
    CHECK(outputs_to_state(parked_in(compensate_begun)).empty());
}

TEST_CASE("a pair whose definition cannot be read can still be tried again", "[decide]") {
    Pair pair = parked_in(second_begun);
    pair.definition = "{";
    CHECK(refused(pair, applied).find("definition") != std::string::npos);
    CHECK(decided(pair, not_applied).state == second_not_applied);
    CHECK(decided(pair, again).state == second_not_applied);
}

TEST_CASE("every decision that is said to be possible is", "[decide]") {
    for (const auto& states : {std::vector<PairState>(std::begin(kFirsts), std::end(kFirsts)),
                               std::vector<PairState>(std::begin(kSeconds), std::end(kSeconds)),
                               std::vector<PairState>(std::begin(kCompensates), std::end(kCompensates)),
                               {compensated}}) {
        for (const PairState from : states) {
            const Pair pair = parked_in(from);
            const auto possible = possible_decisions(pair);
            for (const DecisionVerb what : {applied, not_applied, compensate, again}) {
                INFO(to_string(from) << " " << to_string(what));
                const bool first = parked_phase(pair) == "first";
                const std::string outputs = parked_phase(pair) == "compensate" ? "{}" : first ? kFirstOutputs : kSecondOutputs;
                CHECK(decide(pair, verb(what, outputs)).has_value() == (std::ranges::find(possible, what) != possible.end()));
            }
        }
    }
}

TEST_CASE("a definition that a decision brings takes the place of the pair's own before anything is asked of it", "[decide]") {
    Pair pair = parked_in(second_refused);
    pair.definition = definition(true, false);
    Decision undo = verb(DecisionVerb::compensate);
    CHECK_FALSE(decide(pair, undo));
    undo.definition = definition(true, true);
    const auto next = decide(pair, undo);
    REQUIRE(next);
    CHECK(next->state == compensate_not_applied);
    CHECK(next->definition == undo.definition);

    Decision try_again = verb(DecisionVerb::not_applied);
    CHECK(decide(pair, try_again)->definition == pair.definition);
    try_again.definition = definition(false, false);
    const auto without_second = decide(pair, try_again);
    REQUIRE_FALSE(without_second);
    CHECK(without_second.error().failure == Failure::usage);
    CHECK(decide(parked_in(first_begun), try_again)->definition == try_again.definition);
}

TEST_CASE("a decision is applied to the pair as it stood when it was decided, and to nothing that has become of it since",
          "[decide]") {
    const Pair seen = pair_in(second_not_applied, pending);
    Decision anew = verb(DecisionVerb::again);
    anew.seen = stand_of(seen);
    CHECK(decide(seen, anew));

    const auto refused = [&anew](const Pair& pair) {
        const auto next = decide(pair, anew);
        return !next && next.error().text.find("gone on since") != std::string::npos;
    };
    Pair now = seen;
    now.state = done;
    CHECK(refused(now));
    now = seen;
    ++now.attempt;
    CHECK(refused(now));
    now = seen;
    ++now.generation;
    CHECK(refused(now));
    now = seen;
    now.changed_ms -= 5;  // the clock was set back meanwhile
    CHECK(refused(now));
    now = seen;
    now.owes_steps = !now.owes_steps;  // how the item's other steps went is another matter
    now.not_before_ms += 5;
    CHECK_FALSE(refused(now));

    Pair in_hand = pair_in(second_begun);
    in_hand.reason.clear();
    anew.verb = park;
    anew.seen = stand_of(in_hand);
    CHECK(decide(in_hand, anew));
    in_hand.reason = "no answer within 5s";
    CHECK(refused(in_hand));

    // Journals before version 8 do not say where it stood.
    anew.verb = again;
    anew.seen.clear();
    now = seen;
    now.changed_ms = anew.decided_ms + 1;
    CHECK(refused(now));
    now.changed_ms = anew.decided_ms;
    CHECK_FALSE(refused(now));
}
