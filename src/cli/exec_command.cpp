#include "cli/exec_command.hpp"

#include <unistd.h>

#include <cstring>
#include <string>

#include "base/exit_status.hpp"
#include "cli/exec_arguments.hpp"
#include "run/exec_guardian.hpp"
#include "run/front.hpp"
#include "sys/log.hpp"

namespace lockstep {

namespace {

const char kExecHelp[] =
    "Run any command under a lock directory, as flock(1) does under a lock file.\n"
    "\n"
    "Usage: lockstep exec [OPTIONS] NAME|PATH -- COMMAND [ARG…]\n"
    "       lockstep exec [OPTIONS] NAME|PATH -c 'COMMAND LINE'\n"
    "       lockstep exec [OPTIONS] --lock NAME|PATH --lock NAME|PATH … -- COMMAND [ARG…]\n"
    "\n"
    "  NAME              a bare name means /tmp/NAME.lock, or NAME.lock in $LOCKSTEP_LOCK_ROOT; anything with a '/' is a path\n"
    "\n"
    "Which locks:\n"
    "      --lock NAME   a lock, in place of NAME; may be given several times: all of them, or none\n"
    "  -s, --shared      beside others that share the lock, but never beside one that holds it alone; applies to all locks\n"
    "  -w, --wait D      wait so long, in all, for busy locks: 500ms, 10s, 2m, 1h, or forever (default: do not wait)\n"
    "  -E, --busy-status N   exit status when a lock is busy (default: 75)\n"
    "\n"
    "The command:\n"
    "  -c, --shell CMD   run CMD by /bin/sh -c\n"
    "  -i, --interactive give it the terminal: it reads what is typed, Ctrl-C and Ctrl-Z (then fg, bg) are for it\n"
    "      --limit D     its time: then SIGTERM, 5 s later SIGKILL to all of its process group, and status 124\n"
    "      --grace D     a stop request is deferred so long, then SIGTERM goes to the command: a duration or forever\n"
    "                    (default: 30s; 0 passes it on at once)\n"
    "\n"
    "What is said:\n"
    "  -q, --quiet       nothing about a busy lock or a deferred stop\n"
    "  -v, --verbose     how long it waited for each lock, and who held it\n"
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
    if (help) {
        const ssize_t written = ::write(STDOUT_FILENO, kExecHelp, std::strlen(kExecHelp));
        return written < 0 ? to_int(ExitStatus::os) : 0;
    }
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
