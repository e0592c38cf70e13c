#pragma once
// Files that a person gets: written whole or not at all, and never over one that differs unless that was asked for.

#include <string>
#include <vector>

#include "base/error.hpp"

namespace lockstep {

struct NewFile {
    std::string name;  ///< without a slash
    std::string text;
};

/// Writes all files into a directory that exists, mode 0644 less the umask, each in one step (rename(2)); one that is there
/// with the same text stays as it is. Error: Failure::usage naming those that are there and differ (nothing is written then,
/// unless `force`); Failure::os.
/// @return a line for people about each
Result<std::string> write_files(const std::string& directory, const std::vector<NewFile>& files, bool force);

}  // namespace lockstep
