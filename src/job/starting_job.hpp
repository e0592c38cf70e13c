#pragma once
// Job files to begin with, explained by comments: what `lockstep init` writes.

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// pair: two API calls · batch: such a pair for each item of a file · loop: passes until it is stopped · command: one command
inline constexpr std::array<std::string_view, 4> kStartingJobs = {"pair", "batch", "loop", "command"};

struct StartingFile {
    std::string name;
    std::string text;
};

/// The job file first, then what it reads. `job` is a name as is_name() has it; every kind is right as it stands.
std::vector<StartingFile> starting_job(std::string_view kind, const std::string& job);

}  // namespace lockstep
