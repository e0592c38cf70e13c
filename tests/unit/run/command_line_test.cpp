#include "run/command_line.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "run/run_id.hpp"

using namespace lockstep;

namespace {

std::string shown(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    return std::string(command_line(argv.data()).view());
}

}  // namespace

TEST_CASE("a command line is shown as a shell would take it, on one line", "[command_line]") {
    CHECK(shown({"sh", "-c", "echo a\necho b", ""}) == "sh -c 'echo a\\necho b' ''");
    CHECK(shown({"x"}) == "x");
}

TEST_CASE("a long command line is cut between characters, with a sign that it was", "[command_line]") {
    CHECK(shown({std::string(300, 'x')}) == std::string(300, 'x'));
    CHECK(shown({std::string(301, 'x')}) == std::string(300, 'x') + "…");
    CHECK(shown({std::string(100'000, 'x'), "y"}) == std::string(300, 'x') + "…");
    // 299 bytes, then a character of four: quoted, since it is not one of the shell's own.
    const std::string wide = std::string(298, 'x') + "\U0001F512" + std::string(400, 'y');
    CHECK(shown({wide}) == "'" + std::string(298, 'x') + "\U0001F512…");
}

TEST_CASE("a run's id is a UTC time and eight hex digits", "[run_id]") {
    const std::string id(make_run_id().view());
    REQUIRE(id.size() == 25);
    CHECK(id[8] == 'T');
    CHECK(id.substr(15, 2) == "Z-");
    CHECK(id.find_first_not_of("0123456789TZ-abcdef") == std::string::npos);
    CHECK(id.substr(17) != std::string(make_run_id().view()).substr(17));
}
