#pragma once
// The run's log: lines on stderr through one thread with a bounded queue (spdlog's async logger), and what commands print, on
// stdout by another. A full pipe, Ctrl-S, EPIPE or a full disk drops lines and counts them; nobody who logs ever waits.

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/error.hpp"

namespace lockstep::log {

enum class Format { text, json };
enum class Level { debug, info, warning, error, off };

struct Options {
    std::string_view job;     ///< what every line names first
    std::string_view run_id;  ///< for Format::json
    Format format = Format::text;
    Level level = Level::info;
};

/// What a line tells to a program, beside the sentence for people: a member of the object in Format::json, nothing in text.
/// A text that is empty is left out.
struct Fact {
    const char* name;
    std::variant<std::string_view, std::int64_t> value;
};
using Facts = std::initializer_list<Fact>;

/// Starts the log's thread. Call it after the last fork; before it, and where there is no thread to be had, lines go to stderr
/// at once, as far as they are warnings.
///
/// Where stderr is the journal's own stream (systemd.exec(5), JOURNAL_STREAM), each line begins with its priority in the form
/// of sd-daemon(3), "<4>", and text lines leave out the time, which the journal knows: `journalctl -p warning` works.
void start(const Options& options);

/// One line in that form at once, without a thread: for what is to be said before start(), or beside a guardian that is gone.
void say_now(const Options& options, Level level, std::string_view line, Facts facts = {});

/// Waits until everything is written, or until nobody has read anything for `patience`, and says what was dropped: a reader
/// that sleeps does not hold up the end.
void finish(Millis patience);

void write(Level level, std::string_view line, Facts facts = {});

/// Whether a line of that level would be shown: who makes many need not make them in vain.
bool shows(Level level);

/// A line on stderr as it stands, whatever the level and format: what scripts look for.
void plain(std::string_view line);

/// A command's own output: to stdout (1) or stderr (2) as it is, in the order of the log's lines where both are one. Waits,
/// half a second at most, for a reader that reads more slowly than the command writes.
void pass_through(int fd, std::string_view bytes);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (shows(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

/// Writes to a descriptor without ever waiting; what does not fit is dropped. For the few lines said outside the log's thread.
void write_now(int fd, std::string_view text) noexcept;

}  // namespace lockstep::log
