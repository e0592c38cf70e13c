#pragma once
// Asking systemd: its manager by systemctl(1), and systemd-analyze(1).

#include <map>
#include <string>
#include <vector>

#include "base/duration.hpp"
#include "base/error.hpp"

namespace lockstep {

/// sd_booted(3).
bool systemd_runs_this_machine();

using SystemctlProperties = std::map<std::string, std::string, std::less<>>;

/// `systemctl show UNIT`, or with `user` `systemctl --user show UNIT`: each of the properties, "" where it was not told. Error:
/// Failure::os when there is no systemctl, no manager answers within `limit`, or it says no.
Result<SystemctlProperties> systemctl_show(const std::string& unit, const std::vector<std::string>& properties, bool user,
                                           Millis limit);

/// `systemd-analyze calendar TIMES`, which needs no manager. Error: Failure::os when there is no such program.
Result<bool> calendar_is_understood(const std::string& times);

}  // namespace lockstep
