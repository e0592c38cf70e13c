// lockstep(1).

#include <fmt/format.h>

#include "cli/manual.hpp"
#include "cli/roff.hpp"

namespace lockstep {

namespace {

std::string synopsis(const CommandManual& command) {
    std::string text = "\\fBlockstep " + roff_text(command.name) + "\\fR [OPTIONS]";
    for (const OptionManual& option : command.options) {
        if (option.is_positional())
            text += option.required ? " " + roff_text(option.value) : " [" + roff_text(option.value) + "]";
    }
    return text + (command.runs_a_command ? " \\fB\\-\\-\\fR COMMAND [ARG...]" : "");
}

std::string tag(const OptionManual& option) {
    if (option.is_positional()) return "\\fI" + roff_text(option.value) + "\\fR";
    std::string text;
    for (const std::string& name : option.names) text += (text.empty() ? "\\fB" : ", \\fB") + roff_text(name) + "\\fR";
    return option.value.empty() ? text : text + " \\fI" + roff_text(option.value) + "\\fR";
}

std::string section(const CommandManual& command) {
    std::string text =
        ".SS " + roff_text(command.name) + "\n" + synopsis(command) + "\n.PP\n" + roff_text(command.description) + ".\n";
    for (const OptionManual& option : command.options) text += ".TP\n" + tag(option) + "\n" + roff_text(option.help) + "\n";
    if (!command.footer.empty()) text += ".PP\n" + roff_text(command.footer) + "\n";
    return text;
}

constexpr const char* kExitStatus[][2] = {
    {"0", "all done, or a loop that was stopped; exec: the command's own"},
    {"1", "some items failed or are parked; check: a stop would be cut, or a success is overdue"},
    {"64", "a wrong command line"},
    {"66", "there is no such job file; status NAME: neither a journal nor a lock has that name"},
    {"69", "the items, or a secret, could not be had; a loop goes on with its next pass"},
    {"70", "the guardian was killed"},
    {"71", "no process or descriptor could be had"},
    {"73", "the lock cannot be made, or is not ours"},
    {"74", "the journal cannot be read or written"},
    {"75", "try again later: the lock is busy, or a stop left work"},
    {"78", "the job file is wrong"},
    {"124", "cut at the deadline; exec: the command's time was up"},
    {"126, 127, 128+n", "exec: the command could not be started, was not found, was ended by signal n"},
};

}  // namespace

std::string man_page(const Manual& manual) {
    std::string text = fmt::format(".TH LOCKSTEP 1 \"\" \"lockstep {}\" \"User Commands\"\n", manual.version);
    text += ".SH NAME\nlockstep \\- run batch jobs and commands under a lock directory\n.SH SYNOPSIS\n";
    for (const CommandManual& command : manual.commands) text += synopsis(command) + "\n.br\n";
    text += ".SH DESCRIPTION\n" + roff_text(manual.description) + "\n";
    text +=
        ".PP\nA stop request (SIGTERM, SIGINT, SIGHUP, SIGQUIT) begins nothing new, lets the pair of effects in hand end, "
        "gives the\n"
        "lock back and exits. What a crash left half done is finished first by the next run.\n";
    text += ".SH COMMANDS\n";
    for (const CommandManual& command : manual.commands) text += section(command);
    text += ".SH EXIT STATUS\n";
    for (const auto& [status, meaning] : kExitStatus) text += fmt::format(".TP\n{}\n{}\n", status, roff_text(meaning));
    text +=
        ".SH ENVIRONMENT\n.TP\nLOCKSTEP_LOCK_ROOT\nwhere locks with a bare name lie, in place of /tmp\n"
        ".TP\nLOCKSTEP_LOCK\nset for the command of exec: the path of its lock, of several with ':' between them\n"
        ".TP\nLOCKSTEP_RUN_ID\nset for commands: the ids of the runs that they are part of\n"
        ".TP\nLOCKSTEP_ITEM_KEY, LOCKSTEP_IDEMPOTENCY_KEY\nset for the commands of a job\n"
        ".SH FILES\n.TP\n/tmp/NAME.lock\nthe lock: a directory, with a record of its holder in it\n"
        ".TP\n~/.local/state/lockstep/, /var/lib/lockstep/\nthe journals, of users and of root\n"
        ".SH SEE ALSO\n.BR lockstep\\-job (5),\n.BR flock (1),\n.BR flock (2),\n.BR systemd.service (5)\n";
    return text;
}

}  // namespace lockstep
