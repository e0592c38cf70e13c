#pragma once
// Which job a supervisor's command runs.

#include <string>
#include <vector>

namespace lockstep {

/// Whether a command runs that job file: `lockstep run|loop FILE`, directly or behind a shell, env, nice and the like.
/// @param directory  that relative paths in it are relative to; "" unknown
bool runs_job(const std::vector<std::string>& words, const std::string& directory, const std::string& job_file);

/// `lockstep run`, not loop.
bool runs_once(const std::vector<std::string>& words);

/// Of a command that runs a job, but tells only there which: "what ${JOB} is", "where a.json lies". "": it runs none, or
/// another one.
std::string untold_job(const std::vector<std::string>& words, const std::string& directory);

}  // namespace lockstep
