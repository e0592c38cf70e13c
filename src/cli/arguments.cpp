#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>

#include "cli/exec_command.hpp"

namespace lockstep {

namespace {

constexpr char kFooter[] =
    "Exit status: 0 all done · 1 some items failed or are parked · 64 wrong usage · 66 no such job file · 69 no items ·\n"
    "70 the guardian was killed · 73 the lock cannot be made or is not ours · 74 the journal · 75 try again later (busy, or\n"
    "stopped with work left) · 78 the job file is wrong · 124 cut at the deadline\n";

Millis duration_option(const std::string& text) {
    const auto duration = parse_duration(text);
    if (!duration) throw CLI::ValidationError(duration.error().text);
    return *duration;
}

using NamesAndValues = std::vector<std::pair<std::string, std::string>>;

/// NAME=VALUE, as often as one likes.
void add_values_option(CLI::App& command, const std::string& option, NamesAndValues& values, const std::string& help) {
    command
        .add_option_function<std::vector<std::string>>(
            option,
            [&values, option](const std::vector<std::string>& texts) {
                for (const std::string& text : texts) {
                    const std::size_t equals = text.find('=');
                    if (equals == std::string::npos || equals == 0)
                        throw CLI::ValidationError(option + ": write NAME=VALUE, not \"" + text + "\"");
                    values.emplace_back(text.substr(0, equals), text.substr(equals + 1));
                }
            },
            help)
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
}

/// What every command that reads a job file takes.
void add_job_file_options(CLI::App& command, JobFileOptions& file) {
    command.add_option("--lock", file.lock, "lock directory: a path, in place of the job file's")->type_name("PATH");
    add_values_option(command, "--set", file.set, "value of a parameter that the job file declares; may be repeated");
}

void add_log_options(CLI::App& command, RunOptions& options) {
    static const std::map<std::string, log::Format> kFormats = {{"text", log::Format::text}, {"json", log::Format::json}};
    static const std::map<std::string, log::Level> kLevels = {{"debug", log::Level::debug},
                                                              {"info", log::Level::info},
                                                              {"warning", log::Level::warning},
                                                              {"error", log::Level::error}};
    command.add_option("--log-format", options.log_format, "text or json")
        ->transform(CLI::Transformer(kFormats))
        ->option_text("text|json");
    command.add_option("--log-level", options.log_level, "debug, info, warning or error")
        ->transform(CLI::Transformer(kLevels))
        ->option_text("debug|info|warning|error");
    command.add_flag("-q,--quiet", options.quiet, "say nothing when all goes well or the lock is busy (for cron)");
    command
        .add_option_function<std::string>(
            "--progress", [&options](const std::string& when) { options.progress = when == "auto"; },
            "auto: at a terminal, say every few seconds how far the run is; never")
        ->check(CLI::IsMember({"auto", "never"}))
        ->type_name("auto|never");
    command.add_option("--state-dir", options.state_directory, "where the journal lies")->type_name("DIR");
}

void add_wait_option(CLI::App& command, RunOptions& options) {
    command
        .add_option_function<std::string>(
            "-w,--wait",
            [&options](const std::string& text) {
                options.wait_forever = text == "forever";
                if (!options.wait_forever) options.wait = duration_option(text);
            },
            "wait so long for a busy lock (default: not at all)")
        ->type_name("D|forever");
}

/// What `run` and `loop` have in common.
void add_pass_options(CLI::App& command, RunArguments& arguments) {
    command.add_option("job", arguments.job_file, "the job file")->required()->type_name("JOB.json");
    command.add_option("--max-concurrency", arguments.max_concurrency, "pairs in flight, in place of the job file's")
        ->type_name("N")
        ->check(CLI::Range(1, 1024));
    add_job_file_options(command, arguments.file);
    add_log_options(command, arguments.options);
    command.footer(kFooter);
}

CLI::App* add_run(CLI::App& app, RunArguments& arguments) {
    CLI::App* run = app.add_subcommand("run", "Make one pass: take the lock, carry out every item's pairs, give the lock back");
    add_pass_options(*run, arguments);
    add_wait_option(*run, arguments.options);
    run->add_option("--only", arguments.options.only, "carry out only the item with this key")->type_name("KEY");
    run->add_flag("--dry-run", arguments.dry_run,
                  "print every request as a curl line; send nothing, run nothing, take no lock");
    run->add_option("--busy-status", arguments.options.busy_status, "exit status when the lock is busy (default: 75)")
        ->type_name("N")
        ->check(CLI::Range(0, 255));
    return run;
}

CLI::App* add_loop(CLI::App& app, RunArguments& arguments) {
    CLI::App* loop = app.add_subcommand("loop", "Make passes until stopped, with the lock given back in the pauses");
    add_pass_options(*loop, arguments);
    loop->add_option_function<std::string>(
            "--every", [&arguments](const std::string& text) { arguments.every = duration_option(text); },
            "pause between the end of a pass and the start of the next (default: the job file's \"every\")")
        ->type_name("D");
    return loop;
}

CLI::App* add_check(CLI::App& app, CheckArguments& arguments) {
    CLI::App* check = app.add_subcommand("check", "Is the job file right? Says all that is wrong, or what the job will do");
    check->add_option("jobs", arguments.job_files, "job files")->required()->type_name("JOB.json…");
    check
        ->add_option_function<std::string>(
            "--format", [&arguments](const std::string& format) { arguments.json = format == "json"; }, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->type_name("text|json");
    add_job_file_options(*check, arguments.file);
    return check;
}

void add_job_choice(CLI::App& command, JobChoice& job, bool required) {
    command.add_option("job", job.job, "a job file, or a job's name")->required(required)->type_name("JOB");
    add_job_file_options(command, job.file);
    command.add_option("--state-dir", job.state_directory, "where the journal lies")->type_name("DIR");
}

CLI::App* add_status(CLI::App& app, StatusArguments& arguments) {
    CLI::App* status = app.add_subcommand(
        "status", "Who holds the lock, what is in hand, the last success, and what is open or parked; takes no lock");
    add_job_choice(*status, arguments.job, false);
    status->add_flag("--json", arguments.json, "as JSON");
    status->footer(
        "Without JOB: every job that has a journal. Exit status: 0 nothing is parked · 1 something is · 74 the journal cannot\n"
        "be read\n");
    return status;
}

CLI::App* add_history(CLI::App& app, HistoryArguments& arguments) {
    CLI::App* history = app.add_subcommand("history", "What each pass did and why it ended, newest first; what people decided");
    add_job_choice(*history, arguments.job, true);
    history->add_option("--limit", arguments.limit, "so many passes and decisions (default: 20)")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000'000));
    history->add_flag("--json", arguments.json, "as JSON");
    history->footer("Exit status: 0 · 74 there is no journal, or it cannot be read\n");
    return history;
}

CLI::App* add_locks(CLI::App& app, LocksArguments& arguments) {
    CLI::App* locks = app.add_subcommand(
        "locks", "Every lock that can be found: held, shared, waited for, left behind, foreign or unknown; takes none");
    locks
        ->add_option("--root", arguments.roots,
                     "a directory that locks lie in (default: $LOCKSTEP_LOCK_ROOT or /tmp); may be repeated")
        ->type_name("DIR")
        ->allow_extra_args(false);
    locks
        ->add_option("--state-dir", arguments.state_directories,
                     "where journals lie, whose jobs may have their locks elsewhere; may be repeated")
        ->type_name("DIR")
        ->allow_extra_args(false);
    locks->add_flag("--json", arguments.json, "as JSON");
    locks->footer("Exit status: 0 · 73 a directory cannot be read · 74 a journal cannot be read\n");
    return locks;
}

CLI::App* add_unlock(CLI::App& app, UnlockArguments& arguments) {
    CLI::App* unlock =
        app.add_subcommand("unlock", "Remove a lock whose run is dead; with --terminate, ask a living holder to stop first");
    unlock->add_option("lock", arguments.lock, "a bare name means /tmp/NAME.lock; anything with a '/' is a path")
        ->required()
        ->type_name("NAME|PATH");
    unlock->add_option("--run", arguments.run, "the run that left it behind, as lockstep locks tells it")->type_name("ID");
    CLI::Option* terminate = unlock->add_flag("--terminate", arguments.terminate,
                                              "if that run is alive: SIGTERM, and wait until it has given the lock back");
    unlock
        ->add_option_function<std::string>(
            "-w,--wait",
            [&arguments](const std::string& text) {
                arguments.wait = text == "forever" ? std::nullopt : std::optional(duration_option(text));
            },
            "with --terminate: wait so long (default: 1m)")
        ->type_name("D|forever")
        ->needs(terminate);
    unlock->footer(
        "A living holder keeps its lock, and so does a script's mkdir; age decides nothing.\n"
        "Exit status: 0 the lock is gone · 64 which run? the exact command is said · 73 it is not ours to remove · 75 its "
        "holder\nis alive\n");
    return unlock;
}

struct VerbHelp {
    DecisionVerb verb;
    const char* help;
};
constexpr VerbHelp kVerbs[] = {
    {DecisionVerb::applied, "the phase took effect; give the outputs that later phases need with --output"},
    {DecisionVerb::not_applied, "it did not: it is tried again"},
    {DecisionVerb::compensate, "the second phase did not, and is not wanted any more: the first is undone"},
    {DecisionVerb::again,
     "like --not-applied, but under a new idempotency key; also for an item that is done, refused or compensated"},
};

CLI::App* add_resolve(CLI::App& app, ResolveArguments& arguments) {
    CLI::App* resolve = app.add_subcommand("resolve", "Settle a parked pair: say what became of its phase");
    add_job_choice(*resolve, arguments.job, true);
    resolve->add_option("key", arguments.key, "the item's key")->required()->type_name("KEY");
    resolve->add_option("--step", arguments.step, "the step, if the item has more than one")->type_name("NAME");
    auto* verbs = resolve->add_option_group("Decision", "what the person found out");
    for (const VerbHelp& one : kVerbs) {
        verbs->add_flag_callback(
            "--" + std::string(to_string(one.verb)), [&arguments, verb = one.verb] { arguments.verb = verb; }, one.help);
    }
    verbs->require_option(1);
    add_values_option(*resolve, "--output", arguments.outputs,
                      "with --applied: an output of the phase; taken as JSON if it is JSON, else as text");
    resolve->footer(
        "Applied at once if nobody holds the lock, else by its holder at the next pass.\n"
        "Exit status: 0 recorded · 64 that makes no sense for this pair, and what would · 74 the journal · 75 decided "
        "already\n");
    return resolve;
}

/// `exec` is parsed elsewhere; here it only appears in the list, and in `lockstep help exec`.
void add_exec(CLI::App& app) {
    app.add_subcommand("exec", "Run any command under a lock, as flock(1) does; see lockstep exec --help")->prefix_command();
}

}  // namespace

Arguments parse_arguments(int argc, char** argv) {
    CLI::App app("Run batch jobs under a lock, finish what was begun when told to stop, and remember what a crash left open.",
                 "lockstep");
    app.set_version_flag("--version", "lockstep " LOCKSTEP_VERSION);
    app.require_subcommand(1);
    app.footer("lockstep COMMAND --help tells more of each command.");
    RunArguments run;
    RunArguments loop;
    loop.options.loop = true;
    CheckArguments check;
    StatusArguments status;
    HistoryArguments history;
    ResolveArguments resolve;
    LocksArguments locks;
    UnlockArguments unlock;
    const std::vector<std::pair<const CLI::App*, std::function<Arguments()>>> commands = {
        {add_run(app, run), [&] { return run; }},
        {add_loop(app, loop), [&] { return loop; }},
        {add_check(app, check), [&] { return check; }},
        {add_status(app, status), [&] { return status; }},
        {add_history(app, history), [&] { return history; }},
        {add_resolve(app, resolve), [&] { return resolve; }},
        {add_locks(app, locks), [&] { return locks; }},
        {add_unlock(app, unlock), [&] { return unlock; }},
    };
    add_exec(app);
    const auto used = [&] { return std::ranges::find_if(commands, [](const auto& one) { return one.first->parsed(); }); };
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        if (problem.get_exit_code() == 0) return Finished{app.exit(problem)};
        const std::string name = used() != commands.end() ? used()->first->get_name() + " " : "";
        std::fprintf(stderr, "lockstep: %s\nTry: lockstep %s--help\n", problem.what(), name.c_str());
        return Finished{to_int(ExitStatus::usage)};
    }
    return used() != commands.end() ? used()->second() : Finished{to_int(ExitStatus::usage)};
}

}  // namespace lockstep
