#include "run/supervisor_watch.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <stdexcept>

#include "sys/interrupt.hpp"

using namespace lockstep;

TEST_CASE("a supervisor's answer is there when it has come, and is heard as a readable descriptor", "[supervisor]") {
    auto watch = SupervisorWatch::start([] {
        SupervisorWord word;
        word.who = "supervisord";
        word.given = Millis{10'000};
        return std::optional(word);
    });
    REQUIRE(watch);
    REQUIRE(watch->wait(Millis{10'000}));
    REQUIRE(watch->word().has_value());
    CHECK(watch->word()->who == "supervisord");
    CHECK(watch->word()->given == Millis{10'000});
}

TEST_CASE("no answer is an answer, too: nobody waits for it any longer", "[supervisor]") {
    auto watch = SupervisorWatch::start([] { return std::optional<SupervisorWord>(); });
    REQUIRE(watch);
    REQUIRE(watch->wait(Millis{10'000}));
    CHECK_FALSE(watch->word().has_value());
}

TEST_CASE("a question that fails is one without an answer, and ends nothing", "[supervisor]") {
    auto watch = SupervisorWatch::start([]() -> std::optional<SupervisorWord> { throw std::runtime_error("of a library"); });
    REQUIRE(watch);
    REQUIRE(watch->wait(Millis{10'000}));
    CHECK_FALSE(watch->word().has_value());
}

TEST_CASE("one that hangs is waited for as long as was said, and may outlive who asked", "[supervisor]") {
    auto release = std::make_shared<Interrupt>(Interrupt::create().value());
    auto ended = std::make_shared<Interrupt>(Interrupt::create().value());
    {
        auto watch = SupervisorWatch::start([release, ended] {
            release->wait_until(monotonic_now() + Millis{10'000});
            ended->fire();
            return std::optional<SupervisorWord>();
        });
        REQUIRE(watch);
        const MonotonicTime begun = monotonic_now();
        CHECK_FALSE(watch->wait(Millis{30}));
        CHECK(monotonic_now() - begun >= Millis{30});
    }
    release->fire();
    CHECK(ended->wait_until(monotonic_now() + Millis{10'000}));
}
