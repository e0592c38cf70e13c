#include "cli/exec_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "base/exit_status.hpp"
#include "cli/exec_arguments.hpp"
#include "cli/output.hpp"
#include "run/exec_guardian.hpp"
#include "run/front.hpp"
#include "sys/log.hpp"

namespace lockstep {

namespace {

const char kUsage[] =
    "Run any command under a lock directory, as flock(1) does under a lock file.\n"
    "\n"
    "Usage: lockstep exec [OPTIONS] NAME|PATH -- COMMAND [ARG…]\n"
    "       lockstep exec [OPTIONS] NAME|PATH -c 'COMMAND LINE'\n"
    "       lockstep exec [OPTIONS] --lock NAME|PATH --lock NAME|PATH … -- COMMAND [ARG…]\n"
    "\n"
    "  NAME              a bare name means /tmp/NAME.lock, or NAME.lock in $LOCKSTEP_LOCK_ROOT; anything with a '/' is a "
    "path\n";

const char kMore[] =
    "  -h, --help        this text\n"
    "\n"
    "stdin, stdout, stderr, working directory, environment and exit status pass unchanged (a terminal's stdin becomes\n"
    "/dev/null, unless --interactive). The command finds the lock's path in LOCKSTEP_LOCK (several: ':' between them), and\n"
    "the run's id in LOCKSTEP_RUN_ID, behind those of the runs around it. Under a lock that such a run holds already it is\n"
    "refused (73).\n"
    "\n"
    "Exit status: the command's own, 128+n when signal n ended it, 126/127 when it could not be started, 124 at --limit,\n"
    "75 when a lock is busy, 73 when it cannot be made or is not ours, 70 when the guardian was killed, 64 for a wrong\n"
    "command line.\n";

/// Two columns; what does not fit beside an option stands below it.
std::string option_line(const ExecOption& option) {
    constexpr std::size_t kColumn = 20;
    constexpr std::size_t kWidth = 118;
    std::string line = option.letter != '\0' ? std::string("  -") + option.letter + ", " : "      ";
    line += option.name;
    if (option.value != nullptr) line += std::string(" ") + option.value;
    const std::string indent(kColumn, ' ');
    line.size() < kColumn ? line.resize(kColumn, ' ') : (void)(line += "\n" + indent);
    std::size_t column = kColumn;
    for (std::string_view rest = option.help; !rest.empty();) {
        const std::string_view word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(word.size() + 1, rest.size()));
        if (column + word.size() > kWidth) {
            line.back() = '\n';
            line += indent;
            column = kColumn;
        }
        (line += word) += ' ';
        column += word.size() + 1;
    }
    line.back() = '\n';
    return line;
}

std::string exec_help() {
    std::string text = kUsage;
    std::string_view section;
    for (const ExecOption& option : exec_options()) {
        if (section != option.section) text += std::string("\n") + option.section + ":\n";
        section = option.section;
        text += option_line(option);
    }
    return text + kMore;
}

int usage_error(const std::string& problem) {
    log::write_now(STDERR_FILENO, "lockstep: exec: " + problem + "\nTry: lockstep exec --help\n");
    return to_int(ExitStatus::usage);
}

}  // namespace

int exec_command(const InheritedSignals& inherited, int argc, char** argv) {
    ExecOptions options;
    bool help = false;
    if (const std::string problem = parse_exec_arguments(argc, argv, options, help); !problem.empty()) {
        return usage_error(problem);
    }
    if (help) return print(exec_help(), 0);
    const auto guardian = [](GuardianLink& link, void* context) {
        return exec_under_locks(*static_cast<const ExecOptions*>(context), link);
    };
    if (options.interactive) {
        JobTerminal terminal;
        const FrontDuties duties{.terminal = terminal.exists() ? &terminal : nullptr};
        return run_in_guardian(inherited, options.locks.front(), guardian, &options, duties);
    }
    return run_in_guardian(inherited, options.locks.front(), guardian, &options);
}

int go_on_with_exec(const start::Handover& handover, int argc, char** argv) {
    ExecOptions options;
    bool help = false;
    // Never wrong: the plain road takes fewer command lines than we do.
    if (const std::string problem = parse_exec_arguments(argc, argv, options, help); !problem.empty()) {
        return usage_error(problem);
    }
    GuardianLink link{UniqueFd(handover.socket), handover.commands, handover.inherited};
    return exec_under_locks(options, link, handover.progress);
}

}  // namespace lockstep
