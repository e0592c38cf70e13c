// `locks`, `unlock` and `convert`.

#include <CLI/CLI.hpp>

#include "cli/options.hpp"

namespace lockstep::options {

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
    unlock
        ->add_option("lock", arguments.lock,
                     "a bare name means /tmp/NAME.lock, or NAME.lock in $LOCKSTEP_LOCK_ROOT; anything with a '/' is a path")
        ->required()
        ->type_name("NAME|PATH");
    unlock->add_option("--run", arguments.run, "the run that left it behind, as lockstep locks tells it")->type_name("ID");
    CLI::Option* terminate = unlock->add_flag("--terminate", arguments.terminate,
                                              "if that run is alive: SIGTERM, and wait until it has given the lock back");
    unlock
        ->add_option_function<std::string>(
            "-w,--wait",
            [&arguments](const std::string& text) {
                arguments.wait = text == "forever" ? std::nullopt : std::optional(duration("--wait", text));
            },
            "with --terminate: wait so long (default: 1m)")
        ->type_name("D|forever")
        ->needs(terminate);
    unlock->footer(
        "A living holder keeps its lock, and so does a script's mkdir; age decides nothing.\n"
        "Exit status: 0 the lock is gone · 64 which run? the exact command is said · 66 the directory that holds it does not "
        "exist ·\n73 it is not ours to remove, or no lock · 75 its holder is alive\n");
    return unlock;
}

CLI::App* add_convert(CLI::App& app, ConvertArguments& arguments) {
    CLI::App* convert = app.add_subcommand(
        "convert", "Print crontab lines with lockstep exec in place of flock, mkdir, lockfile, run-one, setlock or chpst");
    convert->add_option("file", arguments.file, "a crontab; - or nothing: stdin. Behind -- stand lines instead: [-- LINE…]")
        ->type_name("FILE");
    auto* system = convert->add_flag_callback(
        "--system", [&arguments] { arguments.kind = CrontabKind::system; },
        "a user's name stands before each command (/etc/crontab, /etc/cron.d)");
    convert
        ->add_flag_callback(
            "--commands", [&arguments] { arguments.kind = CrontabKind::none; },
            "the lines are commands of a script, without times")
        ->excludes(system);
    convert
        ->add_option(
            "--program", arguments.program,
            "how the lines call lockstep (default: lockstep, and where the crontab's PATH has none, where this one is)")
        ->type_name("PATH");
    convert->footer(
        "What changes is told in # lines above each converted line, so that the whole can be given to crontab(1). What is not\n"
        "read in full stays as it is, and why is told there, too: lockstep convert <(crontab -l) | crontab -\n"
        "Exit status: 0 · 1 some lines with locks were left as they are · 66 no such file\n");
    return convert;
}

}  // namespace lockstep::options
