// The log's thread: spdlog's async logger, and a sink that may wait as long as it likes.

#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <mutex>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/json.hpp"
#include "sys/log.hpp"
#include "sys/log_backend.hpp"

namespace lockstep::log {

namespace {

constexpr std::size_t kQueueLength = 8192;  // lines; a line is at most some hundred bytes, so a few MB at the worst
constexpr Millis kPatience{500};

// spdlog carries one enum through its queue; output that is passed through travels as levels of their own.
constexpr auto kPassStdout = spdlog::level::trace;
constexpr auto kPassStderr = spdlog::level::critical;

std::string_view level_name(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::debug: return "debug";
        case spdlog::level::warn: return "warning";
        case spdlog::level::err: return "error";
        default: return "info";
    }
}

/// Writes all of it, or as much as the descriptor ever takes. Runs on the log's own thread, which may wait.
void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written > 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            pollfd wait{fd, POLLOUT, 0};
            ::poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return;  // EPIPE, ENOSPC, EIO: the line is lost, the work goes on
        }
    }
}

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    StderrSink(std::string job, Format format) : job_(std::move(job)), format_(format) {}

  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const std::string_view text(message.payload.data(), message.payload.size());
        if (message.level == kPassStdout) return write_all(STDOUT_FILENO, text);
        if (message.level == kPassStderr) return write_all(STDERR_FILENO, text);
        const std::int64_t wall_ms = std::chrono::duration_cast<Millis>(message.time.time_since_epoch()).count();
        write_all(STDERR_FILENO,
                  format_ == Format::json ? json_line(wall_ms, message.level, text) : text_line(wall_ms, message.level, text));
    }
    void flush_() override {}

    std::string text_line(std::int64_t wall_ms, spdlog::level::level_enum level, std::string_view text) const {
        const bool plain = level == spdlog::level::info;
        return fmt::format("{} {}: {}{}{}\n", local_time(wall_ms), job_, plain ? "" : level_name(level), plain ? "" : ": ",
                           text);
    }

    std::string json_line(std::int64_t wall_ms, spdlog::level::level_enum level, std::string_view text) const {
        Json line;
        line.set("time", Json::of_string(format_utc(wall_ms)));
        line.set("level", Json::of_string(std::string(level_name(level))));
        line.set("job", Json::of_string(job_));
        line.set("message", Json::of_string(std::string(text)));
        return to_text(line) + "\n";
    }

    static std::string local_time(std::int64_t wall_ms) {
        const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
        std::tm parts{};
        ::localtime_r(&seconds, &parts);
        char text[32];
        std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
        return fmt::format("{}.{:03}", text, wall_ms % 1000);
    }

    std::string job_;
    Format format_;
};

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::warning: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
        default: return spdlog::level::info;
    }
}

class AsyncBackend final : public Backend {
  public:
    explicit AsyncBackend(const Options& options) : level_(options.level) {
        pool_ = std::make_shared<spdlog::details::thread_pool>(kQueueLength, 1);
        auto sink = std::make_shared<StderrSink>(std::string(options.job), options.format);
        logger_ =
            std::make_shared<spdlog::async_logger>("lockstep", sink, pool_, spdlog::async_overflow_policy::overrun_oldest);
        logger_->set_level(spdlog::level::trace);
    }

    Level level() const override { return level_; }
    void line(Level level, std::string_view text) override {
        if (level >= level_) enqueue(spdlog_level(level), text);
    }
    void bytes(int fd, std::string_view text) override { enqueue(fd == STDOUT_FILENO ? kPassStdout : kPassStderr, text); }

    void finish() override {
        if (const std::size_t lost = pool_->overrun_counter(); lost > 0) {
            line(Level::warning, fmt::format("{} log lines were dropped, for nobody read them in time", lost));
        }
        // The thread takes a message off the queue before it writes it, so an empty queue is not yet a written one: a second
        // empty message, taken, means that everything before the first is out.
        enqueue(kPassStdout, "");
        enqueue(kPassStdout, "");
        const MonotonicTime deadline = monotonic_now() + kPatience;
        while (pool_->queue_size() > 0 && monotonic_now() < deadline) ::poll(nullptr, 0, 1);
    }

  private:
    void enqueue(spdlog::level::level_enum level, std::string_view text) {
        logger_->log(level, spdlog::string_view_t(text.data(), text.size()));
    }

    Level level_;
    std::shared_ptr<spdlog::details::thread_pool> pool_;
    std::shared_ptr<spdlog::async_logger> logger_;
};

}  // namespace

void start(const Options& options) {
    // Never deleted: its destructor would wait for a thread that may be stuck in a write to a full pipe.
    set_backend(new AsyncBackend(options));
}

}  // namespace lockstep::log
