#pragma once
// A journal's file, opened as its owner does and read as any other program may.

#include <memory>
#include <string>

#include "journal/journal.hpp"

namespace lockstep::test {

/// The journal "ship" in `directory`; whatever goes wrong fails the test.
std::unique_ptr<Journal> open_in(const std::string& directory);

/// What the statement yields, a row a line, its columns with | between them.
std::string query(const std::string& path, const char* sql);

}  // namespace lockstep::test
