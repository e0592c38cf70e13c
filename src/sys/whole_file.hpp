#pragma once
// Files that are read from their beginning to their end.

#include <string>

#include "base/error.hpp"

namespace lockstep {

/// All that comes from the descriptor until its end; a stream of the C++ library throws where that is a directory.
/// Error: `failure`, "`what`: Is a directory".
Result<std::string> read_to_end(int fd, Failure failure, const std::string& what);

/// The same of the file at `path`, and the same error where it cannot be opened.
Result<std::string> read_whole_file(const std::string& path, Failure failure, const std::string& what);

}  // namespace lockstep
