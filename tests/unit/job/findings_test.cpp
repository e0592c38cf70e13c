// All that is wrong with a file is told at once, in its order, and nothing of it twice.

#include "unit/job/job_support.hpp"

using namespace lockstep;
using namespace lockstep::test;

TEST_CASE("all faults of a file are told at once, in the file's order", "[job]") {
    const std::string text = R"({
  "lockstep": 2,
  "job": "a b",
  "evry": "3s",
  "steps": [{
    "step": "s",
    "first": {
      "http": {"method": "PSOT", "url": "h/a", "headers": {"A": "$secrets.t"}},
      "timeout": "5",
      "success": "$statusCode = 1"
    },
    "second": {"command": ["sh", "-c", "x {$run.id}"]}
  }]
})";
    CHECK(errors_of(text) ==
          "a.json:2:15: /lockstep: this lockstep reads version 1 of the job file, not version \"2\"\n"
          "a.json:3:10: /job: \"a b\" is not a name for a job; use letters, digits, '_' and '-', and do not begin with a digit "
          "or '-'\n"
          "a.json:4:3: /evry: unknown key \"evry\"; did you mean \"every\"?\n"
          "a.json:8:26: /steps/0/first/http/method: \"PSOT\" is not an HTTP method; did you mean \"POST\"?\n"
          "a.json:8:41: /steps/0/first/http/url: \"h/a\" is not a whole URL; begin it with http:// or https://\n"
          "a.json:8:66: /steps/0/first/http/headers/A: $secrets.t: there is no secret \"t\"; declare it in \"secrets\"\n"
          "a.json:9:18: /steps/0/first/timeout: \"5\" is not a duration: the unit is one of ms, s, m, h, d\n"
          "a.json:10:31: /steps/0/first/success: \"= 1\" where &&, || or the end belongs; equality is written ==\n"
          "a.json:12:15: /steps/0/second: a command without an idempotency key must say what is done when its outcome is not "
          "known; "
          "add \"inDoubt\": [\"park\"], or a \"probe\", or an \"idempotencyKey\", or \"idempotent\": true\n"
          "a.json:12:27: /steps/0/second/command: a command must state its timeout; add \"timeout\" beside \"command\": how "
          "long it may take at "
          "most\n"
          "a.json:12:44: /steps/0/second/command/2: $run.id inside a shell script would be run as code; write \"$1\" in the "
          "script and give "
          "the expression as an argument behind it: […, \"-c\", SCRIPT, \"sh\", \"{$run.id}\"]");
}

TEST_CASE("a pointer in a finding escapes '~' and '/'", "[job]") {
    const std::string text = job_with(R"({"http": {"method": "PUT", "url": "http://h", "query": {"a/b~c": "$x"}}})");
    CHECK(errors_of(text).find("/steps/0/first/http/query/a~1b~0c: ") != std::string::npos);
}

TEST_CASE("what is printed of a file cannot move a terminal's cursor", "[job]") {
    CHECK(errors_of("{\"lockstep\": 1, \"job\": \"a\", \"steps\": [], \"\\u001b[2J\": 1}").find('\x1b') == std::string::npos);
    CHECK(errors_of("{\"lockstep\": 1, \"job\": \"\\u001b[2J\", \"steps\": []}").find('\x1b') == std::string::npos);
    CHECK(errors_of("\x1b[2J").find('\x1b') == std::string::npos);
}

TEST_CASE("a finding without a place names the file only", "[job]") {
    CHECK(to_text({.line = 0, .column = 0, .pointer = "", .what = "what", .advice = "advice"}, "f") == "f: what; advice");
    CHECK(to_text({.line = 3, .column = 4, .pointer = "/a", .what = "what", .advice = ""}, "f") == "f:3:4: /a: what");
}

TEST_CASE("a file that cannot be read is another failure than a wrong one", "[job]") {
    const auto none = read_job_file("/nowhere/at/all.json", {});
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().error.failure == Failure::no_job_file);
    CHECK(none.error().error.text ==
          "/nowhere/at/all.json: cannot read the job file: No such file or directory; is the path right?");
    CHECK(none.error().findings.empty());
    CHECK(read_job_file(TEST_DATA_DIR, {}).error().error.failure == Failure::no_job_file);
    CHECK(read_job_file("", {}).error().error.failure == Failure::no_job_file);
}

TEST_CASE("an empty file is a wrong job file", "[job]") {
    CHECK_THAT(errors_of(""), Catch::Matchers::StartsWith("a.json:1:1: not JSON: unexpected end of input; expected "));
}

TEST_CASE("shell scripts are found behind options and other programs, and only there", "[job]") {
    const auto refused = [](const std::string& argv) {
        const std::string text = job_with(R"({"command": )" + argv + R"(, "timeout": "1s", "inDoubt": ["park"]})");
        return errors_of(text).find("would be run as code") != std::string::npos;
    };
    CHECK(refused(R"(["sh", "-c", "x {$run.id}"])"));
    CHECK(refused(R"(["/bin/bash", "-ec", "$run.id"])"));
    CHECK(refused(R"(["bash", "-o", "pipefail", "-c", "--", "{$run.id}"])"));
    CHECK(refused(R"(["bash", "--norc", "-c", "{$run.id}"])"));
    CHECK(refused(R"(["timeout", "5", "sh", "-c", "{$run.id}"])"));
    CHECK_FALSE(refused(R"(["sh", "-c", "echo \"$1\"", "sh", "{$run.id}"])"));
    CHECK_FALSE(refused(R"(["sh", "./script.sh", "-c", "{$run.id}"])"));
    CHECK_FALSE(refused(R"(["sh", "-e", "./script.sh", "{$run.id}"])"));
    CHECK_FALSE(refused(R"(["echo", "-c", "{$run.id}"])"));
}
