#pragma once
// A command that wants the lock under which it runs itself would wait for ever, or be told "busy" by its own run.

#include <string_view>

#include "lock/directory_lock.hpp"

namespace lockstep {

/// @param runs  the runs that this process is a command of, with spaces between their ids (sys/enclosing_runs.hpp)
/// @return Failure::lock, if one of them holds the lock at `path`, alone or shared, or died while its command is still at work.
/// Takes no lock to look. What an enclosing run holds now it holds as long as we live, so that asking once is enough.
Result<void> refuse_nested_use(const LockPath& path, std::string_view runs);

}  // namespace lockstep
