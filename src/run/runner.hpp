#pragma once
// A run: one pass, or passes with a pause between them until it is stopped. Works in a thread of its own, while the
// guardian's main thread reads signals.

#include <atomic>
#include <string>

#include "run/command_marks.hpp"
#include "run/command_table.hpp"
#include "run/pass_tally.hpp"
#include "run/run_options.hpp"
#include "sys/shutdown_delay.hpp"

namespace lockstep {

class Runner {
  public:
    /// @param begun  rung when a phase begins: publish_activity() is due
    /// @param delay  held while pairs may be open; nullptr: nobody delays a shutdown for us
    Runner(const JobSpec& job, const RunOptions& options, std::string run_id, const StopState& stop, CommandTable& commands,
           Bell& begun, ShutdownDelay* delay);

    /// The whole life of the run. Never throws; every failure has been logged when it returns.
    ExitStatus run();

    /// For the main thread: "o17 reserve second, 3.2s of at most 20s", or "".
    std::string in_hand() const { return activity_.describe(monotonic_now()); }
    /// "done 120, failed 1; in hand: …", or "".
    std::string progress() const { return activity_.progress(monotonic_now()); }
    /// Who has the lock that is waited for, or "".
    std::string waits_for() const;
    /// Tells the lock's record what is in hand, for the main thread: the work does not wait for it. Failures do not matter: the
    /// record decides nothing.
    void publish_activity();
    /// Who asked for a stop, and until when it may take (wall clock, 0: not known).
    struct StopNote {
        std::string by;
        std::int64_t stop_by_ms = 0;  ///< the grace is used up
        std::int64_t kill_at_ms = 0;  ///< the supervisor kills
    };
    /// Tells it to the lock's record, with the time at which the first of them came.
    void note_stopping(const StopNote& note);
    /// The supervisor's SIGTERM is for the commands, too: from now on they ignore it, unless the job file says otherwise.
    void shield_commands() { shield_commands_ = true; }

  private:
    ExitStatus loop();
    PassResult one_pass();
    PassResult locked_pass();
    PassResult pass_under(DirectoryLock& lock);
    Result<DirectoryLock> acquire();
    PassResult failed(const Error& error) const;
    void say_summary(const PassResult& result, Millis elapsed) const;

    const JobSpec& job_;
    const RunOptions& options_;
    const StopState& stop_;
    CommandTable& commands_;
    ShutdownDelay* delay_;
    ActivityBoard activity_;
    SecretStore secrets_;
    const std::string run_id_;
    std::string journal_path_;
    std::string pass_date_;  ///< when the pass fell due: a loop goes on for days
    std::int64_t passes_ = 0;
    std::int64_t started_ms_ = 0;     ///< wall clock, of the first pass
    bool one_waits_already_ = false;  ///< with --coalesce: why the last pass was none

    std::atomic<bool> shield_commands_ = false;

    /// Guards the three below: the main thread writes the record, too, and tells who is waited for.
    mutable std::mutex record_mutex_;
    std::string waits_for_;
    LockRecord record_;
    DirectoryLock* lock_ = nullptr;
};

}  // namespace lockstep
