#pragma once
// A lock that nobody holds, waits for or has left behind: taken and given back by the steps of lock/lock_steps.hpp.

#include <sys/stat.h>

#include <cstddef>
#include <string_view>

#include "lock/lock_steps.hpp"
#include "run/command_line.hpp"
#include "run/run_id.hpp"
#include "start/shared_memory.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep::start {

/// The texts around a lock, all in one page: a fault costs more than what is done with them.
struct LockTexts {
    TextBuffer<528> variable;  ///< "LOCKSTEP_LOCK=" and the path
    std::size_t name_at = 0;   ///< of the last part of that path
    RunIdText run_id;
    CommandLineText command;
    RecordText record;  ///< last: of its 4096 bytes the first 1024 are used

    const char* name() { return variable.c_str() + name_at; }
};

class PlainLock {
  public:
    PlainLock(LockTexts& texts, const SharedPidScope& scope) : texts_(texts), scope_(scope) {}

    /// @param root   the value of LOCKSTEP_LOCK_ROOT, or nullptr
    /// @param spare  a descriptor that may be closed if there is no other left to undo the mkdir with
    /// @return false if anything was in the way; then nothing of it stays
    bool take(const char* lock, const char* root, char** command, UniqueFd& spare);

    /// @return false if it could not be done, or not to the end: DirectoryLock::release() does it, and tells
    bool release() const;

    int parent() const { return parent_.get(); }
    int directory() const { return directory_.get(); }
    int record() const { return record_.get(); }

  private:
    bool open_parent(const char* lock, const char* root);
    bool append_parent(std::string_view parent);
    bool take_directory(UniqueFd& spare);
    bool write_record(char** command);
    void undo();

    LockTexts& texts_;
    const SharedPidScope& scope_;
    UniqueFd parent_;
    UniqueFd directory_;
    UniqueFd record_;
    struct stat identity_;
};

}  // namespace lockstep::start
