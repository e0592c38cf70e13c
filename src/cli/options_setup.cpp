// `setup` and `init`.

#include <CLI/CLI.hpp>

#include "cli/options.hpp"
#include "job/starting_job.hpp"

namespace lockstep::options {

namespace {

/// Where the files go. `init` writes in any case, `setup` prints unless it is told where.
void add_writing(CLI::App& command, std::string& directory, bool& force, const std::string& help) {
    command.add_option("--write", directory, help)->type_name("DIR");
    command.add_flag("--force", force, "replace a file that is there and differs");
}

}  // namespace

CLI::App* add_setup(CLI::App& app, SetupArguments& arguments) {
    CLI::App* setup = app.add_subcommand(
        "setup", "Print a supervisor's entry for a job: complete, explained, and with the stop timeout that the job needs");
    auto* supervisor = setup->add_option("supervisor", arguments.supervisor, "whose entry")->required();
    supervisor->option_text(take_only(supervisor, {"supervisord", "systemd", "cron", "kubernetes"})->get_type_name());
    setup->add_option("job", arguments.job_file, "the job file")->required()->type_name("JOB.json");
    add_writing(*setup, arguments.directory, arguments.force, "write the files there instead of printing them");
    auto* every = setup->add_option_function<std::string>(
        "--every", [&arguments](const std::string& text) { arguments.every = pause_of_loop("--every", text); },
        "run it as a loop with this pause (default: the job file's \"every\")");
    every->type_name("D");
    setup
        ->add_option("--schedule", arguments.schedule,
                     "run it at set times instead, in the supervisor's own words: \"*/5 * * * *\"; systemd: \"hourly\"")
        ->excludes(every)
        ->type_name("TIMES");
    setup
        ->add_option("--user", arguments.user,
                     "the account that it runs as (default: yours); cron: the line is for /etc/cron.d, with that name in it")
        ->type_name("NAME");
    setup->add_option("--program", arguments.program, "where lockstep is (default: where this one is)")->type_name("PATH");
    setup->add_option("--image", arguments.image, "kubernetes: the container's image")->type_name("IMAGE");
    add_job_file(*setup, arguments.file);
    add_state_directory(*setup, arguments.state_directory);
    setup->footer(
        "A job with \"every\" runs as a loop (not under cron), any other at set times, hourly unless --schedule says else.\n"
        "Exit status: 0 · 64 there is another file of that name, or the entry cannot be made · 66, 78 the job file\n");
    return setup;
}

CLI::App* add_init(CLI::App& app, InitArguments& arguments) {
    CLI::App* init = app.add_subcommand("init", "Write a job file to begin with, explained by comments: NAME.json");
    auto* kind = init->add_option(
        "kind", arguments.kind,
        "pair: two API calls · batch: two for each item of a file · loop: passes until stopped · command: one command");
    kind->required()->option_text(take_only(kind, {kStartingJobs.begin(), kStartingJobs.end()})->get_type_name());
    init->add_option("name", arguments.name, "the job's name")->required()->type_name("NAME");
    add_writing(*init, arguments.directory, arguments.force, "where (default: here)");
    init->footer("Exit status: 0 · 64 there is another file of that name, or NAME is no name · 71 it cannot be written\n");
    return init;
}

}  // namespace lockstep::options
