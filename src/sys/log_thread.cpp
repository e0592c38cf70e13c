// The log's thread: spdlog's async logger, and a sink that may wait as long as it likes.

#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/json.hpp"
#include "sys/log.hpp"
#include "sys/log_backend.hpp"

namespace lockstep::log {

namespace {

// Lines, or pieces of 4 KiB of what commands print. spdlog makes room for all of them at once, 470 bytes each: with 8192 this
// was most of an idle daemon.
constexpr std::size_t kQueueLength = 2048;
constexpr Millis kPatience{500};

// The lines are put together by those who write them; the queue only has to say where each goes.
constexpr auto kToStdout = spdlog::level::info;
constexpr auto kToStderr = spdlog::level::err;

struct LevelNames {
    std::string_view name;
    char priority;  ///< of syslog(3), as sd-daemon(3) writes it
};
LevelNames names_of(Level level) {
    switch (level) {
        case Level::debug: return {"debug", '7'};
        case Level::warning: return {"warning", '4'};
        case Level::error: return {"error", '3'};
        default: return {"info", '6'};
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

class RawSink final : public spdlog::sinks::base_sink<std::mutex> {
  public:
    /// Until the log's thread has come to the logger's flush(): all that was logged before it is out.
    void wait_for_flush(MonotonicTime deadline) {
        std::unique_lock lock(flush_mutex_);
        flush_done_.wait_until(lock, deadline, [this] { return flushed_; });
    }

  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        write_all(message.level == kToStdout ? STDOUT_FILENO : STDERR_FILENO, {message.payload.data(), message.payload.size()});
    }
    void flush_() override {
        const std::lock_guard lock(flush_mutex_);
        flushed_ = true;
        flush_done_.notify_one();
    }

    std::mutex flush_mutex_;
    std::condition_variable flush_done_;
    bool flushed_ = false;
};

/// Is stderr the stream that systemd has made for this service? JOURNAL_STREAM is inherited by whoever the service starts,
/// also where its stderr is a file by then, so the numbers decide: systemd.exec(5).
bool stderr_is_the_journal() {
    const char* stream = ::getenv("JOURNAL_STREAM");
    struct stat at{};
    return stream != nullptr && ::fstat(STDERR_FILENO, &at) == 0 &&
           stream == fmt::format("{}:{}", static_cast<std::uint64_t>(at.st_dev), static_cast<std::uint64_t>(at.st_ino));
}

std::string local_time(std::int64_t wall_ms) {
    const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    return fmt::format("{}.{:03}", text, wall_ms % 1000);
}

class LineFormat {
  public:
    explicit LineFormat(const Options& options)
        : job_(options.job),
          run_id_(options.run_id),
          json_(options.format == Format::json),
          for_journal_(stderr_is_the_journal()) {}

    std::string operator()(Level level, std::string_view text, Facts facts) const {
        const std::string line = json_ ? json_line(level, text, facts) : text_line(level, text);
        return for_journal_ ? fmt::format("<{}>{}\n", names_of(level).priority, line) : line + "\n";
    }

  private:
    std::string text_line(Level level, std::string_view text) const {
        const std::string time = for_journal_ ? "" : local_time(wall_now_ms()) + " ";
        const bool plain = level == Level::info || for_journal_;
        return fmt::format("{}{}: {}{}{}", time, job_, plain ? "" : names_of(level).name, plain ? "" : ": ", text);
    }

    std::string json_line(Level level, std::string_view text, Facts facts) const {
        Json line;
        line.set("time", Json::of_string(format_utc(wall_now_ms())));
        line.set("level", Json::of_string(std::string(names_of(level).name)));
        line.set("job", Json::of_string(job_));
        line.set("run", Json::of_string(run_id_));
        for (const Fact& fact : facts) {
            if (const auto* number = std::get_if<std::int64_t>(&fact.value)) {
                line.set(fact.name, Json::of_number(*number));
            } else if (const auto& word = std::get<std::string_view>(fact.value); !word.empty()) {
                line.set(fact.name, Json::of_string(std::string(word)));
            }
        }
        line.set("message", Json::of_string(std::string(text)));
        return to_text(line);
    }

    std::string job_;
    std::string run_id_;
    bool json_;
    bool for_journal_;
};

class AsyncBackend final : public Backend {
  public:
    explicit AsyncBackend(const Options& options) : level_(options.level), format_(options) {
        pool_ = std::make_shared<spdlog::details::thread_pool>(kQueueLength, 1);
        logger_ =
            std::make_shared<spdlog::async_logger>("lockstep", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest);
        logger_->set_level(spdlog::level::trace);
    }

    Level level() const override { return level_; }
    void line(Level level, std::string_view text, Facts facts) override {
        if (level >= level_) enqueue(kToStderr, format_(level, text, facts));
    }
    void bytes(int fd, std::string_view text) override { enqueue(fd == STDOUT_FILENO ? kToStdout : kToStderr, text); }

    void finish() override {
        if (const std::size_t lost = pool_->overrun_counter(); lost > 0) {
            line(Level::warning, fmt::format("{} log lines were dropped, for nobody read them in time", lost), {});
        }
        logger_->flush();
        sink_->wait_for_flush(monotonic_now() + kPatience);
    }

  private:
    void enqueue(spdlog::level::level_enum level, std::string_view text) {
        logger_->log(level, spdlog::string_view_t(text.data(), text.size()));
    }

    Level level_;
    LineFormat format_;
    std::shared_ptr<RawSink> sink_ = std::make_shared<RawSink>();
    std::shared_ptr<spdlog::details::thread_pool> pool_;
    std::shared_ptr<spdlog::async_logger> logger_;
};

}  // namespace

void start(const Options& options) {
    try {
        // Never deleted: its destructor would wait for a thread that may be stuck in a write to a full pipe.
        set_backend(new AsyncBackend(options));
    } catch (const std::system_error& problem) {
        write(Level::warning, fmt::format("starting the log's thread: {}", problem.what()));
    }
}

void say_now(const Options& options, Level level, std::string_view line, Facts facts) {
    write_now(STDERR_FILENO, LineFormat(options)(level, line, facts));
}

}  // namespace lockstep::log
