// `run` and `loop`.

#include <CLI/CLI.hpp>

#include "cli/options.hpp"

namespace lockstep::options {

namespace {

constexpr char kFooter[] =
    "Exit status: 0 all done · 1 some items failed or are parked · 64 wrong usage · 66 no such job file · 69 no items,\n"
    "or a secret is missing · 70 the guardian was killed · 73 the lock cannot be made or is not ours · 74 the journal ·\n"
    "75 try again later (busy, or stopped with work left) · 78 the job file is wrong · 124 cut at the deadline\n";

void add_log_options(CLI::App& command, RunOptions& options) {
    static const std::map<std::string, log::Format> kFormats = {{"text", log::Format::text}, {"json", log::Format::json}};
    static const std::map<std::string, log::Level> kLevels = {{"debug", log::Level::debug},
                                                              {"info", log::Level::info},
                                                              {"warning", log::Level::warning},
                                                              {"error", log::Level::error}};
    auto* format = command.add_option_function<std::string>(
        "--log-format", [&options](const std::string& word) { options.log_format = kFormats.at(word); }, "text or json");
    take_only(format, {"text", "json"});
    auto* level = command.add_option_function<std::string>(
        "--log-level", [&options](const std::string& word) { options.log_level = kLevels.at(word); },
        "debug, info, warning or error");
    take_only(level, {"debug", "info", "warning", "error"});
    command.add_flag("-q,--quiet", options.quiet, "say nothing when all goes well or the lock is busy (for cron)");
    auto* progress = command.add_option_function<std::string>(
        "--progress", [&options](const std::string& when) { options.progress = when == "auto"; },
        "auto: at a terminal, say every few seconds how far the run is; never");
    take_only(progress, {"auto", "never"});
    add_state_directory(command, options.state_directory);
}

CLI::Option* add_wait_option(CLI::App& command, RunOptions& options) {
    return command
        .add_option_function<std::string>(
            "-w,--wait",
            [&options](const std::string& text) {
                options.wait = text == "forever" ? std::nullopt : std::optional(duration("--wait", text));
            },
            "wait so long for a busy lock (default: not at all)")
        ->type_name("D|forever");
}

/// What `run` and `loop` have in common.
void add_pass_options(CLI::App& command, RunArguments& arguments) {
    command.add_option("job", arguments.job_file, "the job file")->required()->type_name("JOB.json");
    command.add_option("--max-concurrency", arguments.max_concurrency, "pairs in flight, in place of the job file's")
        ->type_name("N")
        ->check(CLI::Range(1, kMostInFlight));
    command
        .add_option_function<std::string>(
            "--stop-timeout",
            [&arguments](const std::string& text) { arguments.stop_timeout = duration("--stop-timeout", text); },
            "how long whoever stops it waits before SIGKILL (in a container; supervisord and systemd are asked)")
        ->type_name("D");
    command.add_flag("--strict", arguments.options.strict, "begin nothing (78) where that is shorter than the longest pair");
    add_job_file(command, arguments.file);
    add_log_options(command, arguments.options);
    command.footer(kFooter);
}

/// A run's third way between leaving at once and --wait; of loops, which always wait, it keeps all but one away.
void add_coalesce_option(CLI::App& command, RunOptions& options) {
    command.add_flag("--coalesce", options.coalesce,
                     "if the job is busy: wait, but if another one waits already leave with 75, for its pass will do for both");
}

}  // namespace

CLI::App* add_run(CLI::App& app, RunArguments& arguments) {
    CLI::App* run = app.add_subcommand("run", "Make one pass: take the lock, carry out every item's pairs, give the lock back");
    add_pass_options(*run, arguments);
    const CLI::Option* const wait = add_wait_option(*run, arguments.options);
    add_coalesce_option(*run, arguments.options);
    run->parse_complete_callback([&arguments, wait] {
        if (arguments.options.coalesce && wait->count() == 0) arguments.options.wait = std::nullopt;
    });
    run->add_option("--only", arguments.options.only, "carry out only the item with this key")->type_name("KEY");
    run->add_flag("--dry-run", arguments.dry_run,
                  "print what a run would do now, its requests as curl lines; send nothing, run nothing, take no lock");
    run->add_option("--busy-status", arguments.options.busy_status, "exit status when the lock is busy (default: 75)")
        ->type_name("N")
        ->check(CLI::Range(0, 255));
    return run;
}

CLI::App* add_loop(CLI::App& app, RunArguments& arguments) {
    CLI::App* loop = app.add_subcommand("loop", "Make passes until stopped, with the lock given back in the pauses");
    add_pass_options(*loop, arguments);
    add_coalesce_option(*loop, arguments.options);
    loop->add_option_function<std::string>(
            "--every", [&arguments](const std::string& text) { arguments.every = pause_of_loop("--every", text); },
            "pause between the end of a pass and the start of the next (default: the job file's \"every\")")
        ->type_name("D");
    return loop;
}

}  // namespace lockstep::options
