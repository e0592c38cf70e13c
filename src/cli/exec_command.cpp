#include "cli/exec_command.hpp"

#include <unistd.h>

#include <charconv>
#include <cstring>
#include <string_view>

#include "base/exit_status.hpp"
#include "run/exec_guardian.hpp"
#include "run/front.hpp"
#include "sys/log.hpp"

namespace lockstep {

const char kExecHelp[] =
    "Run any command under a lock directory, as flock(1) does under a lock file.\n"
    "\n"
    "Usage: lockstep exec [OPTIONS] NAME|PATH -- COMMAND [ARG…]\n"
    "\n"
    "  NAME              a bare name means /tmp/NAME.lock; anything with a '/' is a path\n"
    "\n"
    "Options:\n"
    "  -w, --wait D      wait so long for a busy lock: 500ms, 10s, 2m, 1h, or forever (default: do not wait)\n"
    "  --grace D         a stop request is deferred so long, then SIGTERM goes to the command: a duration or forever\n"
    "                    (default: 30s)\n"
    "  --busy-status N   exit status when the lock is busy (default: 75)\n"
    "  -q, --quiet       say nothing about a busy lock or a deferred stop\n"
    "  -h, --help        this text\n"
    "\n"
    "stdin, stdout, stderr, working directory, environment and exit status pass unchanged (a terminal's stdin becomes\n"
    "/dev/null). Exit status: the command's own, 128+n when signal n ended it, 126/127 when it could not be started,\n"
    "75 when the lock is busy, 73 when the lock cannot be made or is not ours, 70 when the guardian was killed.\n";

namespace {

int usage_error(const std::string& what) {
    log::write_now(STDERR_FILENO, "lockstep: exec: " + what + "\nTry: lockstep exec --help\n");
    return to_int(ExitStatus::usage);
}

/// Walks over the options in front of NAME; every function returns an error's text, or "".
class ExecArguments {
  public:
    ExecArguments(int argc, char** argv) : argc_(argc), argv_(argv) {}

    std::string parse(ExecOptions& options) {
        while (next_ < argc_ && argv_[next_][0] == '-' && argv_[next_][1] != '\0') {
            const std::string_view word = argv_[next_++];
            if (word == "--") break;
            if (word == "-h" || word == "--help") {
                help = true;
                return "";
            }
            if (auto problem = option(word, options); !problem.empty()) return problem;
        }
        if (next_ >= argc_) return "which lock? Give a NAME or a PATH";
        options.lock = argv_[next_++];
        if (options.lock[0] == '\0') return "the lock's name is empty";
        if (next_ < argc_ && std::strcmp(argv_[next_], "--") == 0) ++next_;
        if (next_ >= argc_) return "which command? Give it behind --";
        options.argv = argv_ + next_;
        return "";
    }

    bool help = false;

  private:
    std::string option(std::string_view word, ExecOptions& options) {
        if (word == "-q" || word == "--quiet") {
            options.quiet = true;
            return "";
        }
        const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
        const std::string_view name = word.substr(0, equals);
        const bool wait = name == "-w" || name == "--wait";
        if (!wait && name != "--grace" && name != "--busy-status") return "unknown option " + std::string(word);
        if (equals == std::string_view::npos && next_ >= argc_) return std::string(name) + " needs a value";
        const std::string_view value = equals != std::string_view::npos ? word.substr(equals + 1) : argv_[next_++];
        if (name == "--busy-status") return busy_status(value, options);
        if (value == "forever") {
            if (wait) options.wait_forever = true;
            if (!wait) options.grace.reset();
            return "";
        }
        const auto duration = parse_duration(value);
        if (!duration) return std::string(name) + ": " + duration.error().text + ", or forever";
        if (wait) {
            options.wait_forever = false;
            options.wait = *duration;
        } else {
            options.grace = *duration;
        }
        return "";
    }

    static std::string busy_status(std::string_view value, ExecOptions& options) {
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.busy_status);
        const bool whole = error == std::errc{} && end == value.data() + value.size();
        if (!whole || options.busy_status < 0 || options.busy_status > 255) return "--busy-status: a number from 0 to 255";
        return "";
    }

    int argc_;
    char** argv_;
    int next_ = 0;
};

}  // namespace

int exec_command(const InheritedSignals& inherited, int argc, char** argv) {
    ExecOptions options;
    ExecArguments arguments(argc, argv);
    if (const std::string problem = arguments.parse(options); !problem.empty()) return usage_error(problem);
    if (arguments.help) {
        const ssize_t written = ::write(STDOUT_FILENO, kExecHelp, std::strlen(kExecHelp));
        return written < 0 ? to_int(ExitStatus::os) : 0;
    }
    const auto guardian = [](GuardianLink& link, void* context) {
        return exec_under_lock(*static_cast<const ExecOptions*>(context), link);
    };
    return run_in_guardian(inherited, options.lock, guardian, &options);
}

}  // namespace lockstep
