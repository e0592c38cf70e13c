#pragma once
// Removing a lock whose run is dead.

#include "lock/lock_record.hpp"

namespace lockstep {

/// Takes over the lock at `path` by the protocol, as the next run would, and gives it back: so nothing is removed under a
/// process that lives, however the record looks, and who waits gets it.
///
/// @param left  the record of the dead run; another one that is found in its place stays as it is
/// @param run_id  ours, for the moment in which we hold the lock
/// Errors: Failure::busy, somebody holds it, or another run has left it behind meanwhile; Failure::lock.
Result<void> remove_left_behind(const std::string& path, const LockRecord& left, const std::string& run_id);

}  // namespace lockstep
