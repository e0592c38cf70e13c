// Commands that tell of jobs and settle what is parked: `check`, `status`, `history`, `resolve`.

#include <CLI/CLI.hpp>

#include "cli/options.hpp"

namespace lockstep::options {

namespace {

void add_job_choice(CLI::App& command, JobChoice& job, bool required) {
    command.add_option("job", job.job, "a job file, or a job's name")->required(required)->type_name("JOB");
    add_job_file(command, job.file);
    add_state_directory(command, job.state_directory);
}

struct VerbHelp {
    DecisionVerb verb;
    const char* help;
};
constexpr VerbHelp kVerbs[] = {
    {DecisionVerb::applied,
     "the phase took effect, also of a pair in doubt; give the outputs that later phases need with --output"},
    {DecisionVerb::not_applied,
     "it did not: it is tried again; also of an open pair that backs off, which is then tried in the next pass"},
    {DecisionVerb::compensate, "the second phase did not, and is not wanted any more: the first is undone"},
    {DecisionVerb::again,
     "like --not-applied, but under a new idempotency key; also for an item that is done, refused or compensated"},
    {DecisionVerb::park, "of a pair in doubt: its rules are tried no longer, so that the others can be said of it"},
};

}  // namespace

CLI::App* add_check(CLI::App& app, CheckArguments& arguments) {
    CLI::App* check = app.add_subcommand("check", "Is the job file right? Says all that is wrong, or what the job will do");
    check->add_option("jobs", arguments.job_files, "job files")->required()->type_name("JOB.json…");
    auto* format = check->add_option_function<std::string>(
        "--format", [&arguments](const std::string& word) { arguments.json = word == "json"; }, "text or json");
    take_only(format, {"text", "json"});
    check->add_flag("--json", arguments.json, "the same as --format json");
    check
        ->add_option("--supervisord", arguments.supervisord,
                     "its configuration file: does it wait long enough for each job that it runs? May be repeated")
        ->type_name("CONF")
        ->allow_extra_args(false);
    check->add_option("--systemd", arguments.systemd, "a unit, by its name or its file: the same; may be repeated")
        ->type_name("UNIT")
        ->allow_extra_args(false);
    auto* overdue = check->add_flag(
        "--overdue", arguments.overdue,
        "for monitoring: is each job's last success longer ago than its \"expectEvery\" allows? Nothing else is told");
    for (const char* other : {"--supervisord", "--systemd"}) overdue->excludes(check->get_option(other));
    add_state_directory(*check, arguments.state_directory);
    add_job_file(*check, arguments.file);
    check->footer(
        "Exit status: 0 · 1 a stop would be cut, nobody can tell, or nothing in the configuration runs the job; --overdue: a "
        "job\n"
        "is, or has no \"expectEvery\" · 66 no such file · 74 the journal · 78 the job file or the configuration is wrong\n");
    return check;
}

CLI::App* add_status(CLI::App& app, StatusArguments& arguments) {
    CLI::App* status = app.add_subcommand(
        "status", "Who holds the lock, what is in hand, the last success, and what is open or parked; takes no lock");
    add_job_choice(*status, arguments.job, false);
    auto* json = status->add_flag("--json", arguments.json, "as JSON");
    status->add_flag("--metrics", arguments.metrics, "in Prometheus' text format, as for node_exporter's textfile collector")
        ->excludes(json);
    status->footer(
        "Without JOB: every job that has a journal. Exit status: 0 nothing is parked · 1 something is (0 with --metrics, "
        "which\n"
        "tells how many) · 66 there is no such job file; of a name, neither a journal nor a lock · 74 the journal cannot be "
        "read\n");
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

CLI::App* add_resolve(CLI::App& app, ResolveArguments& arguments) {
    CLI::App* resolve =
        app.add_subcommand("resolve", "Settle pairs that are parked or in doubt: say what became of their phase");
    add_job_choice(*resolve, arguments.job, true);
    auto* keys = resolve->add_option("key", arguments.keys, "the item's key, or several")->type_name("KEY…");
    auto* all_parked =
        resolve->add_flag("--all-parked", arguments.all_parked, "every pair that is parked, in place of KEY")->excludes(keys);
    auto* phase = resolve->add_option("--phase", arguments.phase, "with --all-parked: only those parked in this phase");
    take_only(phase, {"first", "second", "compensate"})->needs(all_parked);
    resolve->add_option("--step", arguments.step, "the step, if the item has more than one; with --all-parked: only its pairs")
        ->type_name("NAME");
    auto* verbs = resolve->add_option_group("Decision", "what the person found out");
    for (const VerbHelp& one : kVerbs) {
        verbs->add_flag_callback(
            "--" + std::string(to_string(one.verb)), [&arguments, verb = one.verb] { arguments.verb = verb; }, one.help);
    }
    verbs->set_help_flag();  // it would be shown twice
    verbs->require_option(1);
    add_values(*resolve, "--output", arguments.outputs,
               "with --applied: an output of the phase; taken as JSON if it is JSON, else as text");
    resolve->add_flag("--redefine", arguments.redefine,
                      "go on as the job file says now, not as it said when the pair began: for a mistake that is mended there");
    resolve->footer(
        "Applied at once if nobody holds the lock, else by its holder at the next pass. Of several pairs, all or none.\n"
        "Exit status: 0 recorded, or nothing is parked · 64 that makes no sense for a pair, and what would · 74 the journal\n"
        "75 decided already\n");
    return resolve;
}

}  // namespace lockstep::options
