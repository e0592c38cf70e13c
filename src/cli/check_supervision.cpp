#include "cli/check_supervision.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/text.hpp"

namespace lockstep {

namespace {

constexpr std::size_t kLongestPlace = 4096;

/// Our own environment stands for supervisord's: the two may differ, and then a value is unknown or told as it is here.
std::optional<std::string> environment(const std::string& name) {
    const char* value = ::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

}  // namespace

Result<ConfiguredSupervisors> ConfiguredSupervisors::read(const CheckArguments& arguments) {
    ConfiguredSupervisors all;
    for (const std::string& config : arguments.supervisord) {
        auto programs = read_supervisord_config(config, environment);
        if (!programs) return std::unexpected(programs.error());
        std::ranges::move(*programs, std::back_inserter(all.programs_));
        all.names_.push_back(config);
        all.supervisord_ = true;
    }
    for (const std::string& unit : arguments.systemd) {
        auto read = read_systemd_unit(unit);
        if (!read) return std::unexpected(read.error());
        all.units_.push_back(std::move(*read));
        all.names_.push_back(unit);
    }
    return all;
}

std::vector<Supervision> ConfiguredSupervisors::of(const JobSpec& job, const std::string& job_file) const {
    std::vector<Supervision> found;
    for (const SupervisordProgram& program : programs_) {
        if (!runs_job(program.words, program.directory, job_file)) continue;
        // Of several processes of one program the first tells all.
        const bool told = std::ranges::any_of(found, [&](const Supervision& one) {
            return one.supervisor == "supervisord" && one.place.text() == program.place.text();
        });
        if (!told) found.push_back(supervision_of(job, program));
    }
    for (const SystemdUnit& unit : units_) {
        const auto runs = [&](const auto& words) { return runs_job(words, unit.directory, job_file); };
        if (std::ranges::any_of(unit.commands, runs)) found.push_back(supervision_of(job, unit));
    }
    return found;
}

std::string ConfiguredSupervisors::nobody_runs(const JobSpec& job) const {
    std::vector<std::string> untold;
    const auto look = [&](const std::string& name, const ConfigPlace& place, const auto& words, const std::string& directory) {
        const std::string what = untold_job(words, directory);
        const std::string line = "it cannot be told whether " + printable(name) + " (" +
                                 printable(place.text(), kLongestPlace) + ") runs it: " + printable(what, kLongestPlace) +
                                 " is not known here";
        if (!what.empty() && std::ranges::find(untold, line) == untold.end()) untold.push_back(line);
    };
    for (const SupervisordProgram& program : programs_) look(program.name, program.place, program.words, program.directory);
    for (const SystemdUnit& unit : units_) {
        for (const auto& words : unit.commands) look(unit.name, unit.place, words, unit.directory);
    }
    std::string text;
    for (const std::string& line : untold) text += (text.empty() ? "" : "\n  ") + line;
    if (!text.empty()) return text;
    std::string names;
    for (const std::string& name : names_) names += (names.empty() ? "" : ", ") + printable(name, kLongestPlace);
    return "nothing in " + names + " runs it; an entry: lockstep setup " + (supervisord_ ? "supervisord " : "systemd ") +
           shell_quoted(job.file);
}

bool would_be_cut(const std::vector<Supervision>& supervisions) {
    return std::ranges::any_of(supervisions, [](const Supervision& one) {
        return one.verdict != StopVerdict::enough && one.verdict != StopVerdict::tight;
    });
}

}  // namespace lockstep
