#pragma once
// The locks of one `exec`: all of them, or none.

#include <optional>
#include <string>
#include <vector>

#include "lock/directory_lock.hpp"
#include "run/exec_options.hpp"
#include "run/exec_progress.hpp"

namespace lockstep {

/// A line on stderr: "lockstep: NAME: LINE".
void exec_say(std::string_view name, const std::string& line);

class ExecLocks {
  public:
    explicit ExecLocks(const ExecOptions& options) : options_(options) {}

    /// Takes every lock, in an order that is the same for all runs however they name them, so that no two of them wait for each
    /// other: by the parent's file system and inode, then by the name. One that is named twice is taken once. Waits for all of
    /// them together no longer than the options allow, and says what there is to say, errors too. Readers and a run around us
    /// that holds one already: see refuse_nested_use.
    ///
    /// @param wake_fd  as in LockWait
    /// @return nothing if all are held; else none is, and this is the exit status (0, too: --busy-status 0)
    std::optional<int> acquire(int wake_fd);

    /// In place of acquire(): the one lock that this process has taken already.
    void go_on_with(const ExecProgress& progress);

    /// The record of each, for the command to inherit: see DirectoryLock::lend_record().
    std::vector<int> lend_records();

    /// Tells in each record that the run has been asked to stop, and by whom.
    void note_stopping(const std::string& by);

    /// The paths, as LOCKSTEP_LOCK tells them: ':' between them, each lock once, in the order of the command line.
    const std::string& paths() const { return paths_; }
    const std::string& run_id() const { return run_id_; }

    /// Gives all back, the last one first, and says what went wrong.
    void release();

  private:
    struct Wanted {
        const char* name;  ///< as it was given
        LockPath path;
        dev_t device;
        ino_t parent;
    };

    Result<void> open_paths();
    Result<void> refuse_what_is_ours() const;
    Result<void> take(const Wanted& wanted, int wake_fd);
    int give_up(const Error& error);

    const ExecOptions& options_;
    std::string run_id_;
    std::string paths_;
    std::vector<Wanted> wanted_;
    const char* at_ = nullptr;  // the one that an error is about
    std::vector<DirectoryLock> held_;
    MonotonicTime begun_{};
};

}  // namespace lockstep
