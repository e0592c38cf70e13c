#pragma once
// `lockstep check --supervisord CONF --systemd UNIT`: the supervisors' configuration, read once and held against each job.

#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "supervise/supervision.hpp"

namespace lockstep {

class ConfiguredSupervisors {
  public:
    /// Error: Failure::no_job_file or Failure::job_file, as the exit status tells it: the configuration cannot be read.
    static Result<ConfiguredSupervisors> read(const CheckArguments& arguments);

    bool any() const { return !names_.empty(); }
    /// Those that run the job; none is worth a word, too.
    std::vector<Supervision> of(const JobSpec& job, const std::string& job_file) const;
    /// Of a job that of() finds nobody for: "nothing in a.conf, b.service runs it; an entry: lockstep setup supervisord
    /// a.json", or a line for each that may run it.
    std::string nobody_runs(const JobSpec& job) const;

  private:
    std::vector<std::string> names_;  ///< of what was read, as it was given
    bool supervisord_ = false;
    std::vector<SupervisordProgram> programs_;
    std::vector<SystemdUnit> units_;
};

/// Whether a stop of the job would be cut, or nobody can tell.
bool would_be_cut(const std::vector<Supervision>& supervisions);

}  // namespace lockstep
