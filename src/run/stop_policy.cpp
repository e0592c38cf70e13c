#include "run/stop_policy.hpp"

namespace lockstep {

StopPolicy::Action StopPolicy::on_request(const StopNotice& notice, MonotonicTime now) {
    const bool counts = notice.signal == SIGINT && notice.from_keyboard && (!last_press_ || now - *last_press_ >= kPressApart);
    if (counts) {
        ++presses_;
        last_press_ = now;
    }
    if (!stopping_) {
        stopping_ = true;
        if (grace_) deadline_ = now + *grace_;
        return Action::begin;
    }
    if (!counts || presses_ < kPressesToAsk) return Action::say;
    if (asked_at_ && now - *asked_at_ <= kAnswerWithin) return Action::cut;
    asked_at_ = now;
    return Action::ask;
}

StopPolicy::Action StopPolicy::on_deadline() {
    deadline_.reset();
    return cut_at_deadline_ ? Action::cut : Action::say_overtime;
}

}  // namespace lockstep
