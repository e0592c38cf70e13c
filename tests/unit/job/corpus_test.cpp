// valid/*.json are right; each of wrong/*.json has one fault, and its .txt says where it is found and what is said about it.

#include <random>

#include "unit/job/job_support.hpp"

using namespace lockstep;
using namespace lockstep::test;

TEST_CASE("every right job file is accepted", "[job]") {
    const auto files = job_files("valid");
    REQUIRE(files.size() >= 7);
    for (const auto& file : files) {
        INFO(file);
        const auto job = read_job_file(file, {});
        INFO((job ? "" : job.error().error.text));
        CHECK(job.has_value());
    }
}

TEST_CASE("the job files that ship with lockstep are accepted", "[job]") {
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(SOURCE_DIR) / "jobs")) {
        if (entry.path().extension() != ".json" || entry.path().filename() == "job.schema.json") continue;
        INFO(entry.path());
        const auto job = read_job_file(entry.path(), {});
        INFO((job ? "" : job.error().error.text));
        CHECK(job.has_value());
    }
}

TEST_CASE("every wrong job file is refused with its one fault, at its place", "[job]") {
    const auto files = job_files("wrong");
    REQUIRE(files.size() >= 60);
    for (const auto& file : files) {
        INFO(file);
        auto expected = file;
        std::ifstream lines(expected.replace_extension(".txt"));
        std::string wanted;
        REQUIRE(std::getline(lines, wanted));
        const auto job = read_job_file(file, {});
        REQUIRE_FALSE(job.has_value());
        CHECK(job.error().error.failure == Failure::job_file);
        INFO(job.error().error.text);
        REQUIRE(job.error().findings.size() == 1);
        CHECK_THAT(to_text(job.error().findings.front(), "x"), Catch::Matchers::StartsWith("x:" + wanted));
    }
}

namespace {

void collect_members(Json& value, std::string_view inside, std::vector<std::pair<std::string, Json*>>& out) {
    if (inside == "body") return;  // any JSON may stand there
    for (Json& element : value.elements) collect_members(element, inside, out);
    for (JsonMember& member : value.members) {
        out.emplace_back(member.key, &member.value);
        collect_members(member.value, member.key, out);
    }
}

}  // namespace

TEST_CASE("every key is really read: a value of an impossible type is refused, whatever the key", "[job]") {
    const Json impossible = parse_json("[[[]]]").value();
    for (const auto& file : job_files("valid")) {
        Json job = parse_json(contents(file)).value();
        std::vector<std::pair<std::string, Json*>> members;
        collect_members(job, "", members);
        for (auto& [key, value] : members) {
            if (key == "body") continue;
            INFO(file << " " << key);
            Json original = std::exchange(*value, impossible);
            CHECK_FALSE(parse_job(to_text(job), "a.json", "/jobs", {}).has_value());
            *value = std::move(original);  // moved, not copied: later members of the list lie inside it
        }
    }
}

namespace {

/// A comment first thing in every object, but not inside a body, where any JSON may stand.
Json commented(Json value, std::string_view inside = "") {
    if (inside == "body") return value;
    for (Json& element : value.elements) element = commented(std::move(element), inside);
    for (JsonMember& member : value.members) member.value = commented(std::move(member.value), member.key);
    if (value.is_object()) value.members.insert(value.members.begin(), {"$comment", parse_json(R"(["why", ""])").value(), 0});
    return value;
}

}  // namespace

TEST_CASE("a comment in every object changes nothing, and each is held to be a text", "[job]") {
    for (const auto& file : job_files("valid")) {
        INFO(file);
        const Json plain = parse_json(contents(file)).value();
        const std::string text = to_text(commented(plain));
        const auto job = parse_job(text, "a.json", "/jobs", {});
        INFO((job ? "" : job.error().error.text));
        REQUIRE(job.has_value());
        CHECK(describe_plan(*job) == describe_plan(right(to_text(plain))));
        for (std::size_t at = 0; (at = text.find(R"(["why",""])", at)) != std::string::npos; ++at) {
            std::string wrong = text;
            wrong.replace(at, 10, "7");
            CHECK_THAT(errors_of(wrong), Catch::Matchers::Contains("/$comment: this must be a string, not a number"));
        }
    }
}

TEST_CASE("a damaged job file is refused or read, and never crashes the reader", "[job]") {
    std::mt19937 random(20261123);  // NOLINT: the same damage every time
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    const std::string alphabet = "{}[]\",:$#/.~'\\u0 \n19-eE!=<>&|()azs\xC3\xFF";
    std::vector<std::string> originals;
    for (const auto& file : job_files("valid")) originals.push_back(contents(file));
    std::size_t accepted = 0;
    for (int round = 0; round < 4000; ++round) {
        std::string text = originals[below(originals.size())];
        for (std::size_t i = 0, changes = 1 + below(3); i < changes; ++i) {
            const std::size_t at = below(text.size());
            switch (below(4)) {
                case 0: text[at] = alphabet[below(alphabet.size())]; break;
                case 1: text.erase(at, 1 + below(8)); break;
                case 2: text.insert(at, 1, alphabet[below(alphabet.size())]); break;
                default: text.insert(below(text.size()), text.substr(at, 1 + below(30)));
            }
        }
        const auto job = parse_job(text, "a.json", "/jobs", {});
        accepted += job.has_value() ? 1 : 0;
        if (job) {
            CHECK_FALSE(describe_plan(*job).empty());
        } else {
            CHECK_FALSE(job.error().findings.empty());
        }
    }
    CHECK(accepted > 0);
}
