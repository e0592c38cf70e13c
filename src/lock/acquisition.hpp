#pragma once
// DirectoryLock::acquire, step by step. acquisition.cpp: attempts and waits; taking.cpp: what is found inside a directory once
// its flock is ours.

#include <string>

#include "lock/directory_lock.hpp"
#include "lock/lock_attempt.hpp"
#include "lock/lock_wait.hpp"
#include "lock/orphaned_commands.hpp"

namespace lockstep {

class Acquisition {
  public:
    Acquisition(const LockPath& path, const LockRecord& record, const LockWait& wait, LockMode mode);

    Result<DirectoryLock> run();

  private:
    enum class Next { done, again };

    Result<Next> step(LockAttempt attempt);
    Result<Next> wait_for_holder(LockAttempt attempt);
    Result<Next> wait_for_adoption(int directory);
    Result<Next> wait_for_removal(const std::string& holder);
    Result<Next> wait_for_orphan(OrphanedCommand orphan);
    Result<Next> let_writer_go_first(LockAttempt attempt);
    Result<Next> after_wait(WaitEnd end, const std::string& holder);

    Result<Next> take(LockAttempt attempt);
    bool take_what_was_passed_on();
    Result<Next> join_readers();
    Result<Next> become_reader();
    Result<Next> start_record();
    Result<Next> adopt();
    Result<void> may_adopt(const LockRecord& left) const;
    void give_up();

    bool is_reader() const { return mode_ == LockMode::shared; }
    LockMode attempted_mode() const { return is_reader() && !alone_ ? LockMode::shared : LockMode::exclusive; }
    bool may_announce() const;
    void announce(const std::string& holder);
    std::string describe_current_holder() const;
    std::string shown() const;
    std::unexpected<Error> at_this_place(Error error) const;

    const LockPath& path_;
    LockRecord record_;
    const LockWait& wait_;
    const LockMode mode_;
    Patience patience_;
    DirectoryLock lock_;
    FlockWait flock_wait_;
    DirectoryWatch removals_;
    bool announced_ = false;
    bool fix_mode_ = false;
    bool fresh_ = false;     // the directory is of our own making: nothing in it was searched for
    bool alone_ = false;     // a reader that takes the lock for itself first: see join_readers, let_writer_go_first
    bool gave_way_ = false;  // a reader that has let a writer go first while nobody held the lock
};

}  // namespace lockstep
