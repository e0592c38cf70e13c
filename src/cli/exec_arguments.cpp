#include "cli/exec_arguments.hpp"

#include <charconv>
#include <cstring>
#include <string_view>

#include "base/text.hpp"

namespace lockstep {

namespace {

/// A duration, or "forever": nullopt.
std::string read_duration(const char* value, std::optional<Millis>& out) {
    if (std::strcmp(value, "forever") == 0) {
        out.reset();
        return "";
    }
    const auto duration = parse_duration(value);
    if (!duration) return duration.error().text + ", or forever";
    out = *duration;
    return "";
}

std::string set_lock(ExecOptions& options, const char* value) {
    if (*value == '\0') return "the lock's name is empty";
    options.locks.push_back(value);
    return "";
}

std::string set_wait(ExecOptions& options, const char* value) { return read_duration(value, options.wait); }

std::string set_grace(ExecOptions& options, const char* value) { return read_duration(value, options.grace); }

std::string set_limit(ExecOptions& options, const char* value) {
    std::string problem = read_duration(value, options.limit);
    if (problem.empty() && options.limit == Millis{0})
        return "a command that may take no time cannot run; leave the option out";
    return problem;
}

std::string set_busy_status(ExecOptions& options, const char* value) {
    const char* last = value + std::strlen(value);
    const auto [end, error] = std::from_chars(value, last, options.busy_status);
    const bool whole = error == std::errc{} && end == last;
    return whole && options.busy_status >= 0 && options.busy_status <= 255 ? "" : "give a number from 0 to 255";
}

std::string set_shell(ExecOptions& options, const char* value) {
    static char shell[] = "/bin/sh";
    static char dash_c[] = "-c";
    options.shell = {shell, dash_c, const_cast<char*>(value), nullptr};  // as execvp(3) wants it; nobody writes there
    options.argv = options.shell.data();
    return "";
}

std::string set_shared(ExecOptions& options, const char*) {
    options.mode = LockMode::shared;
    return "";
}

std::string set_interactive(ExecOptions& options, const char*) {
    options.interactive = true;
    return "";
}

std::string set_quiet(ExecOptions& options, const char*) {
    options.quiet = true;
    options.verbose = false;
    return "";
}

std::string set_verbose(ExecOptions& options, const char*) {
    options.verbose = true;
    options.quiet = false;
    return "";
}

constexpr const char* kLocks = "Which locks";
constexpr const char* kCommand = "The command";
constexpr const char* kSaid = "What is said";

static_assert(kTermToKill == std::chrono::seconds{5}, "says the help of --limit");

constexpr ExecOption kOptions[] = {
    {"--lock", '\0', "NAME|PATH", kLocks, "a lock, in place of NAME; may be given several times: all of them, or none",
     set_lock},
    {"--shared", 's', nullptr, kLocks,
     "beside others that share the lock, but never beside one that holds it alone; applies to all locks", set_shared},
    {"--wait", 'w', "D|forever", kLocks,
     "wait so long, in all, for busy locks: 500ms, 10s, 2m, 1h, or forever (default: do not wait)", set_wait},
    {"--busy-status", 'E', "N", kLocks, "exit status when a lock is busy (default: 75)", set_busy_status},
    {"--shell", 'c', "CMD", kCommand, "run CMD by /bin/sh -c", set_shell},
    {"--interactive", 'i', nullptr, kCommand,
     "give it the terminal: it reads what is typed, Ctrl-C and Ctrl-Z (then fg, bg) are for it", set_interactive},
    {"--limit", '\0', "D", kCommand, "its time: then SIGTERM, 5 s later SIGKILL to all of its process group, and status 124",
     set_limit},
    {"--grace", '\0', "D|forever", kCommand,
     "a stop request is deferred so long, then SIGTERM goes to the command (default: 30s; 0 passes it on at once)", set_grace},
    {"--quiet", 'q', nullptr, kSaid, "nothing about a busy lock, a stop, its end or a limit; errors are said all the same",
     set_quiet},
    {"--verbose", 'v', nullptr, kSaid, "how long it waited for each lock, and who held it", set_verbose},
};

std::string unknown_option(std::string_view word) {
    std::vector<std::string_view> names{"--help"};
    for (const ExecOption& option : kOptions) names.push_back(option.name);
    return "unknown option " + printable(word) + did_you_mean(word, names);
}

class ExecParser {
  public:
    ExecParser(int argc, char** argv, ExecOptions& options) : argc_(argc), argv_(argv), options_(options) {}

    std::string parse(bool& help) {
        for (; next_ < argc_ && is_option(argv_[next_]); ++next_) {
            const std::string_view word = argv_[next_];
            if (word == "--") break;
            help = word == "-h" || word == "--help";
            if (help) return "";
            const bool is_long = word.starts_with("--");
            if (auto problem = is_long ? long_option(word) : letters(word); !problem.empty()) return problem;
        }
        if (auto problem = name(); !problem.empty()) return problem;
        return command();
    }

  private:
    static bool is_option(const char* word) { return word[0] == '-' && word[1] != '\0'; }

    /// --name, --name VALUE or --name=VALUE
    std::string long_option(std::string_view word) {
        const std::string_view name = word.substr(0, word.find('='));
        for (const ExecOption& option : kOptions) {
            if (option.name != name) continue;
            const char* value = name.size() < word.size() ? word.data() + name.size() + 1 : nullptr;
            if (value != nullptr && option.value == nullptr) return std::string(name) + " takes no value";
            return set(option, std::string(name), value);
        }
        return unknown_option(name);
    }

    /// -q, -sq, -w VALUE or -wVALUE
    std::string letters(std::string_view word) {
        for (std::size_t at = 1; at < word.size(); ++at) {
            const ExecOption* found = nullptr;
            for (const ExecOption& option : kOptions) {
                if (option.letter == word[at]) found = &option;
            }
            if (found == nullptr) return unknown_option(word);
            const char* value = found->value != nullptr && at + 1 < word.size() ? word.data() + at + 1 : nullptr;
            if (auto problem = set(*found, std::string("-") + word[at], value); !problem.empty()) return problem;
            if (found->value != nullptr) break;
        }
        return "";
    }

    std::string set(const ExecOption& option, const std::string& shown, const char* value) {
        if (option.value != nullptr && value == nullptr) {
            if (next_ + 1 >= argc_) return shown + " needs a value";
            value = argv_[++next_];
        }
        const std::string problem = option.set(options_, value);
        return problem.empty() ? "" : shown + ": " + problem;
    }

    std::string name() {
        const bool by_option = !options_.locks.empty();
        if (!by_option) {
            if (next_ < argc_ && std::strcmp(argv_[next_], "--") == 0) ++next_;
            if (next_ >= argc_) return "which lock? Give a NAME or a PATH";
            if (auto problem = set_lock(options_, argv_[next_++]); !problem.empty()) return problem;
            return "";
        }
        if (next_ + 1 < argc_ && std::strcmp(argv_[next_], "--") != 0 && std::strcmp(argv_[next_ + 1], "--") == 0) {
            return "beside --lock there is no NAME: write --lock " + shell_quoted(argv_[next_]);
        }
        return "";
    }

    std::string command() {
        // As with flock(1), `-c CMD` may stand behind the name, too.
        if (next_ < argc_ && options_.argv == nullptr &&
            (std::strcmp(argv_[next_], "-c") == 0 || std::strcmp(argv_[next_], "--shell") == 0)) {
            if (++next_ >= argc_) return std::string(argv_[next_ - 1]) + " needs a value";
            set_shell(options_, argv_[next_++]);
        }
        if (next_ < argc_ && std::strcmp(argv_[next_], "--") == 0) ++next_;
        if (options_.argv != nullptr) {
            return next_ == argc_ ? "" : "--shell is the whole command: what is " + shell_quoted(argv_[next_]) + " to be?";
        }
        if (next_ >= argc_) return "which command? Give it behind --";
        options_.argv = argv_ + next_;
        return "";
    }

    int argc_;
    char** argv_;
    ExecOptions& options_;
    int next_ = 0;
};

}  // namespace

std::span<const ExecOption> exec_options() { return kOptions; }

std::string parse_exec_arguments(int argc, char** argv, ExecOptions& options, bool& help) {
    return ExecParser(argc, argv, options).parse(help);
}

}  // namespace lockstep
