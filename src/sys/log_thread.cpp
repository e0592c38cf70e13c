// What the log's lines look like, and which outlet they leave by.

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <system_error>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/json.hpp"
#include "sys/log.hpp"
#include "sys/log_backend.hpp"
#include "sys/log_outlet.hpp"

namespace lockstep::log {

namespace {

constexpr std::size_t kQueueLength = 2048;       // a longer one would be most of an idle daemon's memory
constexpr std::size_t kStdoutQueueLength = 256;  // of commands' output alone, up to 64 KiB each

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

/// Two descriptors of one file, pipe or terminal: what goes there keeps its order.
bool are_one(int one, int other) {
    struct stat a{};
    struct stat b{};
    return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

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
    explicit AsyncBackend(const Options& options) : level_(options.level), format_(options) {}

    Level level() const override { return level_; }
    void line(Level level, std::string_view text, Facts facts) override {
        if (level >= level_) stderr_.post(STDERR_FILENO, format_(level, text, facts));
    }
    void plain(std::string_view text) override { stderr_.post(STDERR_FILENO, text); }
    void bytes(int fd, std::string_view text) override {
        (fd == STDOUT_FILENO ? stdout_outlet() : stderr_).post_patiently(fd, text);
    }

    void finish(Millis patience) override {
        Outlet* const out = stdout_.load(std::memory_order_acquire);
        const bool has_two = out != nullptr && out != &stderr_;
        if (has_two) out->drain(patience);
        stderr_.drain(patience);
        const std::size_t lost = stderr_.lost() + (has_two ? out->lost() : 0);
        if (lost == 0) return;
        const std::string what = fmt::format("{} {} of the log and of commands' output, which nobody read in time", lost,
                                             lost == 1 ? "piece" : "pieces");
        write_now(STDERR_FILENO, format_(Level::warning, "dropped: " + what, {}));  // not through a queue that may be stuck
    }

  private:
    /// One of its own, so that a reader of stdout who sleeps keeps no line from stderr; made when it is first wanted.
    Outlet& stdout_outlet() {
        std::call_once(stdout_looked_at_, [this] {
            Outlet* outlet = &stderr_;
            try {
                if (!are_one(STDOUT_FILENO, STDERR_FILENO)) outlet = new Outlet(kStdoutQueueLength);
            } catch (const std::system_error& problem) {
                line(Level::debug, fmt::format("starting a thread for stdout: {}; it shares that of the log", problem.what()),
                     {});
            }
            stdout_.store(outlet, std::memory_order_release);
        });
        return *stdout_.load(std::memory_order_acquire);
    }

    Level level_;
    LineFormat format_;
    Outlet stderr_{kQueueLength};
    std::once_flag stdout_looked_at_;
    std::atomic<Outlet*> stdout_ = nullptr;  // until somebody writes there
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
