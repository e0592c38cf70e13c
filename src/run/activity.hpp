#pragma once
// What is being done right now, by which worker: for the log, the lock's record and the answer to an impatient Ctrl-C.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "sys/interrupt.hpp"

namespace lockstep {

struct Activity {
    std::string item;
    std::string step;
    std::string phase;
    MonotonicTime since{};
    Millis limit{0};  ///< the phase's deadline, counted from `since`
};

/// Written by the workers, read by the main thread.
class ActivityBoard {
  public:
    /// @param begun  rung at the begin of each phase
    ActivityBoard(std::size_t workers, Bell& begun) : begun_(begun), slots_(workers) {}

    void begin(std::size_t worker, Activity activity);
    void end(std::size_t worker);

    /// "o17 reserve-and-capture second, 3.2s of at most 20s; o18 …", or "" when nothing is in hand.
    std::string describe(MonotonicTime now) const;
    /// Counts an item that is through; any thread may call it.
    void item_ended(bool well) { ++(well ? done_ : failed_); }
    /// "done 120, failed 1; in hand: …", or "" before the first item has ended.
    std::string progress(MonotonicTime now) const;

    /// For the lock's record: "o17, second" or "o17, second and 3 more".
    std::string brief() const;

  private:
    Bell& begun_;
    mutable std::mutex mutex_;
    std::vector<Activity> slots_;  ///< an empty step: idle
    std::atomic<std::uint64_t> done_ = 0;
    std::atomic<std::uint64_t> failed_ = 0;
};

/// A worker's phase: on the board as long as this lives, however the phase ends.
class PhaseInHand {
  public:
    PhaseInHand(ActivityBoard& board, std::size_t worker, Activity activity) : board_(board), worker_(worker) {
        board_.begin(worker_, std::move(activity));
    }
    ~PhaseInHand() { board_.end(worker_); }
    PhaseInHand(const PhaseInHand&) = delete;
    PhaseInHand& operator=(const PhaseInHand&) = delete;

  private:
    ActivityBoard& board_;
    std::size_t worker_;
};

}  // namespace lockstep
