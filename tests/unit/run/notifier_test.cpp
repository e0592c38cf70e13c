#include "run/notifier.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;

namespace {

MonotonicTime at(int ms) { return MonotonicTime{} + std::chrono::hours{1} + Millis{ms}; }

}  // namespace

TEST_CASE("the first message says ready, and a status is said again only when it has changed", "[notifier]") {
    Notifier notifier(Millis{0});
    CHECK(notifier.next() <= at(0));
    CHECK(notifier.message(at(0), "a") == "READY=1\nSTATUS=a\n");
    CHECK(notifier.next() == at(1000));
    CHECK(notifier.message(at(1000), "a").empty());
    CHECK(notifier.message(at(2000), "b") == "STATUS=b\n");
}

TEST_CASE("a watchdog is fed three times in its period, and not once where there is none", "[notifier]") {
    Notifier notifier(Millis{900});
    CHECK(notifier.message(at(0), "") == "READY=1\nWATCHDOG=1\n");
    CHECK(notifier.next() == at(300));
    CHECK(notifier.message(at(300), "") == "WATCHDOG=1\n");
    Notifier patient(Millis{60'000});
    patient.message(at(0), "");
    CHECK(patient.next() == at(1000));
}

TEST_CASE("while stopping, more time is asked for with every message until the bound", "[notifier]") {
    Notifier notifier(Millis{0});
    notifier.message(at(0), "");
    notifier.stopping(at(2500));
    CHECK(notifier.next() <= at(100));
    CHECK(notifier.message(at(100), "") == "STOPPING=1\nEXTEND_TIMEOUT_USEC=5000000\n");
    CHECK(notifier.message(at(1100), "") == "EXTEND_TIMEOUT_USEC=5000000\n");
    CHECK(notifier.message(at(2500), "").empty());
    Notifier unbounded(Millis{0});
    unbounded.message(at(0), "");
    unbounded.stopping(std::nullopt);
    unbounded.message(at(100), "");
    CHECK(unbounded.message(at(100'000'000), "") == "EXTEND_TIMEOUT_USEC=5000000\n");
}

TEST_CASE("a status is one line, whatever an item is called", "[notifier]") {
    Notifier notifier(Millis{0});
    CHECK(notifier.message(at(0), "a\nSTOPPING=1") == "READY=1\nSTATUS=a\\nSTOPPING=1\n");
}
