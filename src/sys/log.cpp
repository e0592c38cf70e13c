#include "sys/log.hpp"

#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/json.hpp"

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
        const std::int64_t wall_ms =
            std::chrono::duration_cast<Millis>(message.time.time_since_epoch()).count();
        write_all(STDERR_FILENO, format_ == Format::json ? json_line(wall_ms, message.level, text) : text_line(wall_ms, message.level, text));
    }
    void flush_() override {}

    std::string text_line(std::int64_t wall_ms, spdlog::level::level_enum level, std::string_view text) const {
        const bool plain = level == spdlog::level::info;
        return fmt::format("{} {}: {}{}{}\n", local_time(wall_ms), job_, plain ? "" : level_name(level), plain ? "" : ": ", text);
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

/// Leaked on purpose: their destructors wait for a thread that may be stuck in a write to a full pipe.
struct Running {
    std::shared_ptr<spdlog::details::thread_pool> pool;
    std::shared_ptr<spdlog::async_logger> logger;
    Level level = Level::info;
};
std::atomic<Running*> running = nullptr;

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::warning: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
        default: return spdlog::level::info;
    }
}

void enqueue(spdlog::level::level_enum level, std::string_view text) {
    Running* now = running.load(std::memory_order_acquire);
    now->logger->log(level, spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace

void start(const Options& options) {
    auto now = std::make_unique<Running>();
    now->level = options.level;
    now->pool = std::make_shared<spdlog::details::thread_pool>(kQueueLength, 1);
    auto sink = std::make_shared<StderrSink>(std::string(options.job), options.format);
    now->logger = std::make_shared<spdlog::async_logger>("lockstep", sink, now->pool, spdlog::async_overflow_policy::overrun_oldest);
    now->logger->set_level(spdlog::level::trace);
    running.store(now.release(), std::memory_order_release);
}

void finish() {
    Running* now = running.load(std::memory_order_acquire);
    if (now == nullptr) return;
    if (const std::size_t lost = now->pool->overrun_counter(); lost > 0) {
        warning("{} log lines were dropped, for nobody read them in time", lost);
    }
    // The thread takes a message off the queue before it writes it, so an empty queue is not yet a written one: a last
    // empty message, taken, means that the one before it is out.
    enqueue(kPassStdout, "");
    enqueue(kPassStdout, "");
    const MonotonicTime deadline = monotonic_now() + kPatience;
    while (now->pool->queue_size() > 0 && monotonic_now() < deadline) ::poll(nullptr, 0, 1);
}

void write(Level level, std::string_view line) {
    const Running* now = running.load(std::memory_order_acquire);
    if (now == nullptr) {
        if (level >= Level::warning) write_now(STDERR_FILENO, "lockstep: " + std::string(line) + "\n");
    } else if (level >= now->level) {
        enqueue(spdlog_level(level), line);
    }
}

void plain(std::string_view line) { pass_through(STDERR_FILENO, std::string(line) + "\n"); }

void pass_through(int fd, std::string_view bytes) {
    if (running.load(std::memory_order_acquire) == nullptr) return write_now(fd, bytes);
    enqueue(fd == STDOUT_FILENO ? kPassStdout : kPassStderr, bytes);
}

void write_now(int fd, std::string_view text) noexcept {
    while (!text.empty()) {
        // A pipe or terminal that polls writable takes at least PIPE_BUF bytes without waiting.
        const std::string_view piece = text.substr(0, 4096);
        pollfd ready{fd, POLLOUT, 0};
        if (::poll(&ready, 1, 0) <= 0 || (ready.revents & POLLOUT) == 0) return;
        const ssize_t written = ::write(fd, piece.data(), piece.size());
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace lockstep::log
