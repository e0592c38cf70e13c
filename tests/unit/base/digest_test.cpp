#include "base/digest.hpp"

#include <catch2/catch.hpp>

using namespace lockstep;

TEST_CASE("nothing at all hashes to what FIPS 180-4 says of the empty message", "[digest]") {
    CHECK(sha256_of_parts({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("each part stands behind its length as eight bytes, big endian", "[digest]") {
    // printf '\0\0\0\0\0\0\0\3abc\0\0\0\0\0\0\0\0' | sha256sum
    CHECK(sha256_of_parts({"abc", ""}) == "f5a934b5ab96157b46905e4dec48ff8175fe8926c36ec293b98c8fbd0886171b");
}

TEST_CASE("the borders between the parts count", "[digest]") {
    CHECK(sha256_of_parts({"ab", "c"}) != sha256_of_parts({"a", "bc"}));
    CHECK(sha256_of_parts({"abc"}) != sha256_of_parts({"abc", ""}));
    CHECK(sha256_of_parts({"a", "b"}) == sha256_of_parts({"a", "b"}));
    CHECK(sha256_of_parts({std::string_view("a\0b", 3)}) != sha256_of_parts({"a"}));
}
