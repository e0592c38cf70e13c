#pragma once
// Hiding secrets in text that people see.

#include <string>
#include <vector>

namespace lockstep {

/// `text` with each of `values` (of at least 4 bytes) replaced by "***", in their order: give the longest first. A value is
/// found as it is, with the escapes of a JSON string (\" \/ \u00e9), and percent-encoded, whatever of it is escaped.
std::string redact_values(std::string text, const std::vector<std::string>& values);

}  // namespace lockstep
