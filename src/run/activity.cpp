#include "run/activity.hpp"

#include "base/text.hpp"

namespace lockstep {

void ActivityBoard::begin(std::size_t worker, Activity activity) {
    {
        const std::lock_guard lock(mutex_);
        slots_[worker] = std::move(activity);
    }
    begun_.ring();
}

void ActivityBoard::end(std::size_t worker) {
    const std::lock_guard lock(mutex_);
    slots_[worker].step.clear();
}

std::string ActivityBoard::describe(MonotonicTime now) const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const Activity& slot : slots_) {
        if (slot.step.empty()) continue;
        const auto elapsed = std::chrono::duration_cast<Millis>(now - slot.since);
        text += text.empty() ? "" : "; ";
        text += printable(slot.item, 60) + " " + slot.step + " " + slot.phase + ", " + describe_duration(elapsed) +
                " of at most " + describe_duration(slot.limit);
    }
    return text;
}

std::string ActivityBoard::progress(MonotonicTime now) const {
    const std::uint64_t done = done_;
    const std::uint64_t failed = failed_;
    if (done + failed == 0) return "";
    const std::string in_hand = describe(now);
    return "done " + std::to_string(done) + ", failed " + std::to_string(failed) +
           (in_hand.empty() ? "" : "; in hand: " + in_hand);
}

std::string ActivityBoard::brief() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    std::size_t more = 0;
    for (const Activity& slot : slots_) {
        if (slot.step.empty()) continue;
        if (text.empty()) {
            text = printable(slot.item, 60) + ", " + slot.phase;
        } else {
            ++more;
        }
    }
    return more == 0 ? text : text + " and " + std::to_string(more) + " more";
}

}  // namespace lockstep
