#include "run/stop_policy.hpp"

namespace lockstep {

StopPolicy::Action StopPolicy::on_request(const StopRequest& request, MonotonicTime now) {
    const bool counts =
        request.signal == SIGINT && request.from_keyboard && (!last_press_ || now - *last_press_ >= kPressApart);
    if (counts) {
        ++presses_;
        last_press_ = now;
    }
    if (!stopping_) {
        stopping_ = true;
        stopping_since_ = now;
        if (grace_) deadline_ = now + *grace_;
        return Action::begin;
    }
    if (!counts || presses_ < kPressesToAsk) return Action::say;
    if (asked_at_ && now - *asked_at_ <= kAnswerWithin) return Action::cut;
    asked_at_ = now;
    return Action::ask;
}

void StopPolicy::supervisor_waits(Millis given) { given_ = given; }

std::optional<MonotonicTime> StopPolicy::kill_at() const {
    return stopping_ && given_ ? std::optional(stopping_since_ + *given_) : std::nullopt;
}

std::optional<MonotonicTime> StopPolicy::cut_at() const {
    const auto kill = kill_at();
    return cut_at_deadline_ && !cut_ && kill ? std::optional(*kill - kBeforeKill) : std::nullopt;
}

bool StopPolicy::kill_is_first() const {
    const auto cut = cut_at();
    return cut && (!deadline_ || *cut < *deadline_);
}

std::optional<MonotonicTime> StopPolicy::deadline() const { return kill_is_first() ? cut_at() : deadline_; }

StopPolicy::Action StopPolicy::on_deadline() {
    cut_ = cut_at_deadline_;
    deadline_.reset();
    return cut_at_deadline_ ? Action::cut : Action::say_overtime;
}

}  // namespace lockstep
