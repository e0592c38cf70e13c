#pragma once
// The files that a request sends (bodyFile, multipart): the journal keeps their paths, not what they held.

#include <optional>
#include <string>

#include "base/json.hpp"

namespace lockstep {

/// Adds to a rendered request the size and the time of the last change of each file that its `http` names; to be called anew
/// before the request is sent anew. @return whether it names any
bool note_files(Json& request);

/// Of a journalled request, `{"http": …}`: the path of a file that is not what it was when it was noted; to send the request
/// again would be to send another one.
std::optional<std::string> changed_file(const Json& request);

}  // namespace lockstep
