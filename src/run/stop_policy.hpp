#pragma once
// What a stop request means, by how many there were and when: the rows of the stop table, without any clock or signal of
// its own.

#include <optional>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "sys/stop_signals.hpp"

namespace lockstep {

class StopPolicy {
  public:
    enum class Action {
        begin,         ///< the first request: start to drain
        say,           ///< a further one: tell what is still being finished
        ask,           ///< the third Ctrl-C: tell that one more cuts
        cut,           ///< the fourth within 5 s of the question, or the grace used up with `cut_at_deadline`
        say_overtime,  ///< the grace is used up and the pair is to be finished all the same
    };

    /// @param grace  how long a drain may take; nullopt: for ever
    StopPolicy(std::optional<Millis> grace, bool cut_at_deadline) : grace_(grace), cut_at_deadline_(cut_at_deadline) {}

    /// The supervisor's SIGKILL comes so long after its first request. With `cut_at_deadline` what is in hand is cut 2 s before
    /// that, so that it is known what was cut; the grace itself stays as it is.
    void supervisor_waits(Millis given);

    Action on_request(const StopRequest& request, MonotonicTime now);
    /// To be called when deadline() has passed.
    Action on_deadline();

    bool stopping() const { return stopping_; }
    /// When the grace is used up, or the supervisor's kill is near; nullopt before the first request, without a bound, and once
    /// it has passed.
    std::optional<MonotonicTime> deadline() const;
    /// The supervisor's SIGKILL; nullopt before the first request and where its patience is not known.
    std::optional<MonotonicTime> kill_at() const;
    /// Which of the two deadline() is.
    bool kill_is_first() const;

  private:
    /// Presses of Ctrl-C less than this apart are one: a key held down must not cut anything.
    static constexpr Millis kPressApart{1000};
    static constexpr Millis kAnswerWithin{5000};
    static constexpr int kPressesToAsk = 3;
    static constexpr Millis kBeforeKill{2000};

    std::optional<MonotonicTime> cut_at() const;

    std::optional<Millis> grace_;
    bool cut_at_deadline_;
    std::optional<Millis> given_;
    bool stopping_ = false;
    MonotonicTime stopping_since_{};
    bool cut_ = false;
    std::optional<MonotonicTime> deadline_;
    int presses_ = 0;
    std::optional<MonotonicTime> last_press_;
    std::optional<MonotonicTime> asked_at_;
};

}  // namespace lockstep
