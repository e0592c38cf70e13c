#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <sstream>

#include "base/text.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"

namespace lockstep {

namespace {

/// `convert … -- LINE…`: CLI11 would take the first of the lines for the file. @return what is left of argc
int take_lines(int argc, char** argv, ConvertArguments& arguments) {
    if (argc < 2 || std::string_view(argv[1]) != "convert") return argc;
    char** const end = argv + argc;
    char** const dashes = std::find_if(argv, end, [](const char* word) { return std::string_view(word) == "--"; });
    if (dashes == end) return argc;
    arguments.lines.assign(dashes + 1, end);
    return static_cast<int>(dashes - argv);
}

int say_usage(const std::string& problem, const std::string& command) {
    std::fprintf(stderr, "lockstep: %s\nTry: lockstep %s--help\n", problem.c_str(), command.c_str());
    return to_int(ExitStatus::usage);
}

/// What CLI11 does not see, or says badly: of a wrong command only that one is required. @return the exit status, 0: go on
int check_words(const CLI::App& app, int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') return 0;
    std::vector<std::string_view> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(command->get_name());
        if (names.back() != argv[1]) continue;
        const std::string problem = options::empty_option(*command, argc - 2, argv + 2);
        return problem.empty() ? 0 : say_usage(problem, command->get_name() + " ");
    }
    return say_usage("unknown command " + printable(argv[1]) + did_you_mean(argv[1], names), "");
}

/// Help or the version, which CLI11 hands over as an error with status 0.
int print_asked_for(const CLI::App& app, const CLI::ParseError& asked) {
    std::ostringstream text;
    app.exit(asked, text, text);
    return print(text.str(), 0);
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
    ConvertArguments convert;
    SetupArguments setup;
    InitArguments init;
    const std::vector<std::pair<const CLI::App*, std::function<Arguments()>>> commands = {
        {options::add_run(app, run), [&] { return run; }},
        {options::add_loop(app, loop), [&] { return loop; }},
        {options::add_check(app, check), [&] { return check; }},
        {options::add_status(app, status), [&] { return status; }},
        {options::add_history(app, history), [&] { return history; }},
        {options::add_resolve(app, resolve), [&] { return resolve; }},
        {options::add_locks(app, locks), [&] { return locks; }},
        {options::add_unlock(app, unlock), [&] { return unlock; }},
        {options::add_convert(app, convert), [&] { return convert; }},
        {options::add_setup(app, setup), [&] { return setup; }},
        {options::add_init(app, init), [&] { return init; }},
    };
    options::add_exec(app);
    std::string text;
    options::add_manual(app, text);
    static char help[] = "--help";
    if (argc == 2 && std::string_view(argv[1]) == "help") argv[1] = help;
    for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) options::refuse_empty_values(*command);
    if (const int wrong = check_words(app, argc, argv); wrong != 0) return Finished{wrong};
    const auto used = [&] { return std::ranges::find_if(commands, [](const auto& one) { return one.first->parsed(); }); };
    try {
        app.parse(take_lines(argc, argv, convert), argv);
    } catch (const CLI::ParseError& problem) {
        if (problem.get_exit_code() == 0) return Finished{print_asked_for(app, problem)};
        const auto& met = app.get_subcommands();
        return Finished{say_usage(problem.what(), met.empty() ? "" : met.front()->get_name() + " ")};
    }
    if (!text.empty()) return Finished{print(text, 0)};
    return used() != commands.end() ? used()->second() : Finished{to_int(ExitStatus::usage)};
}

}  // namespace lockstep
