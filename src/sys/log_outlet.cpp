#include "sys/log_outlet.hpp"

#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>

#include "base/clock.hpp"

namespace lockstep::log {

namespace {

// The texts are put together by those who post them; the queue only has to say where each goes.
constexpr auto kToStdout = spdlog::level::info;
constexpr auto kToStderr = spdlog::level::err;

}  // namespace

class OutletSink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    /// Until `done()` holds: true; or until for `patience` nothing has left: false.
    template <class Done>
    bool wait_while_moving(Millis patience, const Done& done) {
        std::unique_lock lock(moves_mutex_);
        for (;;) {
            const std::uint64_t seen = moves_;
            if (done()) return true;
            if (!moved_.wait_for(lock, patience, [&] { return moves_ != seen; })) return done();
        }
    }
    /// Has anything left since the last wait in vain?
    bool is_stuck() const {
        const std::lock_guard lock(moves_mutex_);
        return stuck_at_ == moves_;
    }
    void found_stuck() {
        const std::lock_guard lock(moves_mutex_);
        stuck_at_ = moves_;
    }
    bool is_flushed() const { return flushed_; }  // inside wait_while_moving()

  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        write_all(message.level == kToStdout ? STDOUT_FILENO : STDERR_FILENO, {message.payload.data(), message.payload.size()});
    }
    void flush_() override { has_moved(true); }

    /// Writes all of it, or as much as the descriptor ever takes.
    void write_all(int fd, std::string_view text) {
        while (!text.empty()) {
            const ssize_t written = ::write(fd, text.data(), text.size());
            if (written > 0) {
                text.remove_prefix(static_cast<std::size_t>(written));
            } else if (errno == EAGAIN) {
                pollfd wait{fd, POLLOUT, 0};
                ::poll(&wait, 1, -1);
            } else if (errno != EINTR) {
                break;  // EPIPE, ENOSPC, EIO: the text is lost, the work goes on
            }
        }
        has_moved(false);
    }

    void has_moved(bool flushed) {
        const std::lock_guard lock(moves_mutex_);
        flushed_ = flushed_ || flushed;
        ++moves_;
        moved_.notify_all();
    }

    mutable std::mutex moves_mutex_;  // guards all of the following; never held while something is written
    std::condition_variable moved_;
    std::uint64_t moves_ = 1;
    std::uint64_t stuck_at_ = 0;
    bool flushed_ = false;
};

Outlet::Outlet(std::size_t length)
    : length_(length),
      sink_(std::make_shared<OutletSink>()),
      pool_(std::make_shared<spdlog::details::thread_pool>(length, 1)),
      logger_(std::make_shared<spdlog::async_logger>("lockstep", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest)) {
    logger_->set_level(spdlog::level::trace);
}

void Outlet::post(int fd, std::string_view text) {
    logger_->log(fd == STDOUT_FILENO ? kToStdout : kToStderr, spdlog::string_view_t(text.data(), text.size()));
}

bool Outlet::has_room() const { return pool_->queue_size() < length_ / 2; }

void Outlet::post_patiently(int fd, std::string_view text) {
    constexpr Millis kLongest{500};
    // A reader that has gone to sleep is waited for once, not at every piece of what comes.
    if (!has_room() && !sink_->is_stuck()) {
        const MonotonicTime until = monotonic_now() + kLongest;
        const auto room_or_late = [&] { return has_room() || monotonic_now() >= until; };
        if (!sink_->wait_while_moving(kLongest, room_or_late) || !has_room()) sink_->found_stuck();
    }
    post(fd, text);
}

void Outlet::drain(Millis patience) {
    logger_->flush();
    (void)sink_->wait_while_moving(patience, [this] { return sink_->is_flushed(); });
}

std::size_t Outlet::lost() const { return pool_->overrun_counter() + pool_->queue_size(); }

}  // namespace lockstep::log
