#include "step/command_run.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "step/output_file.hpp"
#include "sys/stop_signals.hpp"

namespace lockstep {

namespace {

constexpr Millis kPauseBetweenNotices{60'000};
constexpr Millis kShortestLook{5};
constexpr Millis kLongestLook{100};

std::vector<std::string> environment_of(const PreparedCommand& command) {
    const auto replaced = [&](std::string_view entry) {
        const std::string_view name = entry.substr(0, entry.find('='));
        if (name == "NOTIFY_SOCKET") return true;
        return std::ranges::any_of(command.environment, [&](const auto& added) { return added.first == name; });
    };
    std::vector<std::string> result;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        if (!replaced(*entry)) result.emplace_back(*entry);
    }
    for (const auto& [name, value] : command.environment) result.push_back(name + "=" + value);
    return result;
}

Result<UniqueFd> open_stdin(const PreparedCommand& command) {
    if (command.has_stdin) return memory_file_with(command.stdin_text);
    UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd) return os_error(Failure::os, "opening /dev/null");
    return fd;
}

/// A command that has been started.
class RunningCommand {
  public:
    RunningCommand(Subprocess child, OutputFile out, OutputFile err, std::string name, const CommandLimits& limits,
                   CommandHost& host)
        : child_(std::move(child)),
          out_(std::move(out)),
          err_(std::move(err)),
          name_(std::move(name)),
          limits_(limits),
          host_(host),
          ends_by_(monotonic_now() + limits.timeout) {
        end_.kind = CommandEnd::Kind::ended;
    }

    CommandEnd run_to_end();
    pid_t pid() const { return child_.pid(); }

  private:
    bool pass_on_output();
    void sleep_until_something_happens(Millis longest) const;
    void keep_time();
    void end_it(CommandEnd::Kind why);
    void report_a_stop();
    void take_out(std::string_view bytes);
    void take_err(std::string_view bytes);
    bool is_ending() const { return end_.kind != CommandEnd::Kind::ended; }

    Subprocess child_;
    OutputFile out_;
    OutputFile err_;
    std::string name_;
    CommandLimits limits_;
    CommandHost& host_;
    MonotonicTime ends_by_;  // then TERM; once it is ending, KILL; once killed, a complaint
    bool killed_ = false;
    int notices_ = 0;
    CommandEnd end_;
};

void RunningCommand::take_out(std::string_view bytes) {
    if (limits_.pass_stdout) host_.command_output(STDOUT_FILENO, bytes);
    const std::size_t room = limits_.keep_stdout - std::min(limits_.keep_stdout, end_.out.size());
    end_.out.append(bytes.substr(0, room));
    end_.out_was_longer = end_.out_was_longer || bytes.size() > room;
}

void RunningCommand::take_err(std::string_view bytes) {
    constexpr std::size_t kTail = std::size_t{32} << 10U;
    host_.command_output(STDERR_FILENO, bytes);
    end_.err.append(bytes);
    if (end_.err.size() <= 2 * kTail) return;
    end_.err.erase(0, end_.err.size() - kTail);
    end_.err_was_longer = true;
}

bool RunningCommand::pass_on_output() {
    const bool out = out_.read_on([this](std::string_view bytes) { take_out(bytes); });
    const bool err = err_.read_on([this](std::string_view bytes) { take_err(bytes); });
    return out || err;
}

void RunningCommand::sleep_until_something_happens(Millis longest) const {
    // Once the interrupt has fired its descriptor stays readable: it is polled only while it can still bring news.
    const bool cuttable = limits_.cut != nullptr && !is_ending();
    std::array<pollfd, 2> waits{{{child_.pidfd(), POLLIN, 0}, {cuttable ? limits_.cut->fd() : -1, POLLIN, 0}}};
    ::poll(waits.data(), waits.size(), std::min(millis_until(ends_by_), static_cast<int>(longest.count())));
}

void RunningCommand::end_it(CommandEnd::Kind why) {
    end_.kind = why;
    ends_by_ = monotonic_now() + (limits_.shield ? Millis{0} : kTermToKill);
    if (limits_.shield) return;
    child_.signal_group(SIGTERM);
    child_.signal_group(SIGCONT);  // a stopped process acts on no signal but this and KILL
}

void RunningCommand::keep_time() {
    if (!is_ending()) {
        if (limits_.cut != nullptr && limits_.cut->fired()) {
            end_it(CommandEnd::Kind::cut);
        } else if (monotonic_now() >= ends_by_) {
            end_it(CommandEnd::Kind::timed_out);
        }
    }
    if (!is_ending() || monotonic_now() < ends_by_) return;
    if (!killed_) {
        child_.signal_group(SIGKILL);
        killed_ = true;
    } else {
        host_.command_notice(name_ + ": pid " + std::to_string(pid()) + " was killed and has not ended yet (state " +
                             std::string(1, child_.state()) + "): waiting for it");
    }
    ends_by_ = monotonic_now() + (notices_++ == 0 ? kTermToKill : kPauseBetweenNotices);
}

void RunningCommand::report_a_stop() {
    const int signal = child_.newly_stopped_by();
    if (signal == 0) return;
    host_.command_notice(name_ + ": pid " + std::to_string(pid()) + " is stopped (" + signal_name(signal) + "); kill -CONT -" +
                         std::to_string(pid()) + " lets it go on");
}

CommandEnd RunningCommand::run_to_end() {
    Millis look = kShortestLook;
    while (!child_.has_ended()) {
        report_a_stop();
        look = pass_on_output() ? kShortestLook : std::min(look * 2, kLongestLook);
        sleep_until_something_happens(look);
        if (!child_.has_ended()) keep_time();  // an end of its own counts, however late
    }
    // Not reaped yet, so the group's number cannot be anybody else's: what a cut command leaves behind goes with it.
    if (is_ending()) child_.signal_group(SIGKILL);
    end_.status = child_.wait();
    out_.read_to_present_end([this](std::string_view bytes) { take_out(bytes); });
    err_.read_to_present_end([this](std::string_view bytes) { take_err(bytes); });
    return std::move(end_);
}

/// A command on its way into being; the child writes its pid here.
struct Beginning {
    CommandHost& host;
    int mark;
    pid_t pid = -1;

    static void tell_host(void* self, pid_t child) {
        auto& beginning = *static_cast<Beginning*>(self);
        beginning.pid = child;
        beginning.host.command_begins(child, beginning.mark);
    }
};

/// Starts it, or says in `end` why not. The mark stays with the caller.
std::optional<RunningCommand> start(const PreparedCommand& command, const CommandLimits& limits, Beginning& beginning,
                                    CommandEnd& end) {
    const auto failed = [&](const Error& error) {
        end.text = error.text;
        return std::nullopt;
    };
    auto out = OutputFile::create();
    if (!out) return failed(out.error());
    auto err = OutputFile::create();
    if (!err) return failed(err.error());
    auto in = open_stdin(command);
    if (!in) return failed(in.error());

    SpawnRequest request;
    request.argv = command.argv;
    request.environment = environment_of(command);
    request.cwd = command.cwd;
    request.stdin_fd = in->get();
    request.stdout_fd = out->fd();
    request.stderr_fd = err->fd();
    if (beginning.mark >= 0) request.kept_fds.push_back(beginning.mark);
    request.shield = limits.shield;
    request.on_begin = Beginning::tell_host;
    request.context = &beginning;
    auto child = Subprocess::spawn(request);
    if (!child) return failed(child.error());
    return RunningCommand(std::move(*child), std::move(*out), std::move(*err), printable(command.argv.front()), limits,
                          beginning.host);
}

}  // namespace

CommandEnd run_command(const PreparedCommand& command, const CommandLimits& limits, CommandHost& host) {
    CommandEnd end;
    auto mark = host.command_mark();
    if (!mark) {
        end.text = mark.error().text;
        return end;
    }
    Beginning beginning{host, mark->fd.get()};
    if (auto running = start(command, limits, beginning, end)) end = running->run_to_end();
    host.command_ended(beginning.pid, std::move(*mark));
    return end;
}

}  // namespace lockstep
