#pragma once
// Who a uid is, for people.

#include <sys/types.h>

#include <optional>
#include <string>

namespace lockstep {

/// The name that the uid has (getpwuid_r(3)), if it has one.
std::optional<std::string> user_name_of(uid_t uid);
/// The same, or "uid 1002" if it has none.
std::string user_name(uid_t uid);

}  // namespace lockstep
