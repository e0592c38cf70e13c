#pragma once
// Job files for tests: those on disk, and small ones made from a phase.

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "job/job_file.hpp"

namespace lockstep::test {

inline std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The job files of one of the folders beside the tests, in order of their names.
inline std::vector<std::filesystem::path> job_files(const std::string& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(TEST_DATA_DIR) / folder)) {
        if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

/// A job with one step of this first phase, and with these top-level keys.
inline std::string job_with(const std::string& first, const std::string& top = "", const std::string& second = "") {
    return R"({"lockstep": 1, "job": "a", )" + (top.empty() ? "" : top + ", ") + R"("steps": [{"step": "s", "first": )" +
           first + (second.empty() ? "" : R"(, "second": )" + second) + "}]}";
}

inline std::string errors_of(const std::string& text, const JobFileOptions& options = {}) {
    const auto job = parse_job(text, "a.json", "/jobs", options);
    return job ? "" : job.error().error.text;
}

inline JobSpec right(const std::string& text, const JobFileOptions& options = {}) {
    INFO(text);
    INFO(errors_of(text, options));
    auto job = parse_job(text, "a.json", "/jobs", options);
    REQUIRE(job.has_value());
    return std::move(*job);
}

}  // namespace lockstep::test
