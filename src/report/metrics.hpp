#pragma once
// `lockstep status --metrics`: what a monitoring system asks of jobs, in Prometheus' text format, version 0.0.4.

#include <span>
#include <string>

#include "report/status.hpp"

namespace lockstep {

/// All names begin with `lockstep_`, all are gauges, and each has the label `lockstep_job`. They stay, as do the keys of the
/// manual. What is not known of a job (a success, where there was none) is left out.
std::string metrics_text(std::span<const JobStatus> jobs, std::int64_t now_ms);

}  // namespace lockstep
