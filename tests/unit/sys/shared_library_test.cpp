#include "sys/shared_library.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;

TEST_CASE("a function of a library that nobody linked is found by its name and can be called", "[library]") {
    const SharedLibrary library("libcurl.so.4");
    REQUIRE(library.is_there());
    char* (*version)() = nullptr;
    REQUIRE(library.look_up("curl_version", version));
    CHECK(std::string(version()).starts_with("libcurl/"));
}

TEST_CASE("what is not there is not found, and the reason names it", "[library]") {
    void (*function)() = [] {};
    const SharedLibrary none("libno-such-thing.so.7");
    CHECK_FALSE(none.is_there());
    CHECK(SharedLibrary::last_error().contains("libno-such-thing.so.7"));
    CHECK_FALSE(none.look_up("curl_version", function));
    CHECK(function == nullptr);

    const SharedLibrary library("libcurl.so.4");
    CHECK_FALSE(library.look_up("no_such_function", function));
    CHECK(SharedLibrary::last_error().contains("no_such_function"));
}
