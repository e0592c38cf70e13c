#pragma once
// What a pid in a record means to the process that reads it.

#include "lock/lock_record.hpp"
#include "lock/own_identity.hpp"

namespace lockstep {

/// A pid says something in its own boot and pid namespace only: elsewhere nobody is known to live or to be dead.
class Standpoint {
  public:
    bool same_boot(const LockRecord& record) const { return record.boot_id == scope_.boot_id.view(); }
    bool same_pids(const LockRecord& record) const { return same_boot(record) && record.pid_namespace == scope_.pid_namespace; }
    bool lives(const LockRecord& record) const {
        return same_pids(record) && is_same_process(record.guardian_pid, record.guardian_start);
    }
    /// Of another boot, or its process is gone from here. Not: of another pid namespace, or of a record that could not be read.
    bool is_dead(const LockRecord& record) const {
        if (record.boot_id.empty() || record.guardian_pid <= 0) return false;
        return !same_boot(record) || (same_pids(record) && !lives(record));
    }

  private:
    PidScope scope_ = own_pid_scope();
};

}  // namespace lockstep
