#pragma once
// The JSON Schema of job files, built in from jobs/job.schema.json.

#include <string_view>

namespace lockstep {

/// As it stands in that file.
std::string_view job_schema();

}  // namespace lockstep
