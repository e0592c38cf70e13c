#pragma once
// Where a Link header sends whoever wants the next page (RFC 8288).

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace lockstep {

/// The target of the first link whose relation is "next", or "" if there is none. `header` is the header's value, several ones
/// joined by ", ". Error: Failure::items, it is no Link header, and may have meant a page that would be missed.
Result<std::string> next_link(std::string_view header);

}  // namespace lockstep
