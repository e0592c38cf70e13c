#pragma once
// Asking supervisord what it is going to do to one of its processes: XML-RPC getAllConfigInfo, supervisord 4.2 and later.

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace lockstep {

/// The stopwaitsecs that supervisord has read for that process. It may be that it has re-read its configuration (`supervisorctl
/// reread`) and still runs the process as it was before: its interface does not tell the two apart.
///
/// @param url    "unix://PATH" or "http://[USER:PASSWORD@]HOST:PORT"; the environment's SUPERVISOR_USERNAME and _PASSWORD
///               stand in for credentials that it does not hold
/// @param group  "" if it is not known
/// Error: Failure::os when there is no answer before the deadline, or none that could be read.
Result<int> ask_stopwaitsecs(const std::string& url, const std::string& group, const std::string& process,
                             MonotonicTime deadline);

/// The process's stopwaitsecs in an answer's body; nullopt if it is not in it. `version` 4.2's members are those that count.
std::optional<int> stopwaitsecs_in_answer(std::string_view xml, std::string_view group, std::string_view process);

}  // namespace lockstep
