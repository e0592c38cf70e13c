// `completion` and `manual`, and `exec` as they see it.

#include <CLI/CLI.hpp>
#include <map>

#include "cli/exec_arguments.hpp"
#include "cli/job_schema.hpp"
#include "cli/manual.hpp"
#include "cli/options.hpp"

namespace lockstep::options {

namespace {

const std::map<std::string, Shell> kShells = {{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}};

OptionManual manual_of(const CLI::Option& option) {
    OptionManual manual;
    for (const std::string& letter : option.get_snames()) manual.names.push_back("-" + letter);
    for (const std::string& name : option.get_lnames()) manual.names.push_back("--" + name);
    // Behind a ':' CLI11 tells of its checks.
    const std::string type = option.get_option_text().empty() ? option.get_type_name() : option.get_option_text();
    if (option.get_items_expected_max() > 0 || option.get_positional()) manual.value = type.substr(0, type.find(':'));
    manual.help = option.get_description();
    manual.required = option.get_required();
    return manual;
}

CommandManual manual_of(const CLI::App& command) {
    CommandManual manual{command.get_name(), command.get_description(), command.get_footer(), {}, command.get_prefix_command()};
    if (manual.footer == command.get_parent()->get_footer()) manual.footer.clear();  // it was inherited
    for (const CLI::Option* option : command.get_options()) manual.options.push_back(manual_of(*option));
    // A group of options is a subcommand without a name.
    for (const CLI::App* group : command.get_subcommands([](const CLI::App*) { return true; })) {
        for (const CLI::Option* option : group->get_options()) manual.options.push_back(manual_of(*option));
    }
    return manual;
}

Manual manual_of_all(const CLI::App& app) {
    Manual manual{LOCKSTEP_VERSION, app.get_description(), {}};
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        manual.commands.push_back(manual_of(*command));
    return manual;
}

}  // namespace

CLI::App* add_exec(CLI::App& app) {
    CLI::App* exec = app.add_subcommand("exec", "Run any command under a lock, as flock(1) does; see lockstep exec --help");
    exec->prefix_command();
    exec->add_option("name")
        ->description("a bare name means /tmp/NAME.lock, or NAME.lock in $LOCKSTEP_LOCK_ROOT; anything with a '/' is a path")
        ->type_name("NAME|PATH");
    for (const ExecOption& option : exec_options()) {
        const std::string letter = option.letter != '\0' ? std::string("-") + option.letter + "," : "";
        const std::string names = letter + std::string(option.name);
        if (option.value == nullptr) {
            exec->add_flag(names)->description(option.help);
        } else {
            exec->add_option(names)->description(option.help)->type_name(option.value);
        }
    }
    return exec;
}

void add_manual(CLI::App& app, std::string& text) {
    auto* completion = app.add_subcommand("completion", "Print what a shell needs to complete lockstep's command lines");
    auto* which = completion->add_option_function<std::string>(
        "shell", [&](const std::string& shell) { text = completion_script(manual_of_all(app), kShells.at(shell)); },
        "which shell: source <(lockstep completion bash) is enough for a try");
    take_only(which->required(), {"bash", "zsh", "fish"});
    auto* manual = app.add_subcommand("manual", "Print a manual page, for man(1): lockstep manual | man -l -");
    auto* page = manual->add_option("page")->description("of the program, lockstep(1), or of the job file, lockstep-job(5)");
    take_only(page, {"lockstep", "job"});
    manual->callback([&, page] {
        const bool of_job = !page->results().empty() && page->results().front() == "job";
        text = of_job ? job_page(LOCKSTEP_VERSION) : man_page(manual_of_all(app));
    });
    auto* schema =
        app.add_subcommand("schema", "Print the JSON Schema of job files, for editors: lockstep schema >job.schema.json");
    schema->callback([&] { text = job_schema(); });
}

}  // namespace lockstep::options
