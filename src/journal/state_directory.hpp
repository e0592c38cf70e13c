#pragma once
// The directory that journals lie in, and how files are opened in it.

#include <string>

#include "base/error.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// Creates the directory (mode 0700 whatever the umask, parents included, durably) if it is missing.
/// Error: Failure::journal when it cannot be made, others may write to it, or it lies on a network file system.
Result<void> prepare_state_directory(const std::string& path);

/// Syncs the names in it: an entry survives a power cut only once the directory itself is synced.
Result<void> sync_directory(const std::string& path);

/// Opens or creates a file of our own, mode 0600 whatever the umask; never through a symbolic link.
/// Error: Failure::journal when it is not a regular file, or not ours.
Result<UniqueFd> open_own_file(const std::string& path);

}  // namespace lockstep
