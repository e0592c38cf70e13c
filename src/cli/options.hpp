#pragma once
// What each command takes on its line: one add_… a command, which tells CLI11 where the values go. Inside this room only;
// CLI11 itself is included by arguments.cpp and the options_*.cpp alone, for it takes long to compile.

#include "cli/arguments.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lockstep::options {

CLI::App* add_run(CLI::App& app, RunArguments& arguments);
CLI::App* add_loop(CLI::App& app, RunArguments& arguments);
CLI::App* add_check(CLI::App& app, CheckArguments& arguments);
CLI::App* add_status(CLI::App& app, StatusArguments& arguments);
CLI::App* add_history(CLI::App& app, HistoryArguments& arguments);
CLI::App* add_resolve(CLI::App& app, ResolveArguments& arguments);
CLI::App* add_locks(CLI::App& app, LocksArguments& arguments);
CLI::App* add_unlock(CLI::App& app, UnlockArguments& arguments);
CLI::App* add_convert(CLI::App& app, ConvertArguments& arguments);
CLI::App* add_setup(CLI::App& app, SetupArguments& arguments);
CLI::App* add_init(CLI::App& app, InitArguments& arguments);
/// `exec` is parsed elsewhere; here it only appears in the list, in `lockstep help exec` and in the manual.
CLI::App* add_exec(CLI::App& app);
/// `completion` and `manual`: each prints, when it is met, what it knows of all that was added before it.
void add_manual(CLI::App& app, std::string& text);

/// CLI11 takes "--lock=" as "--lock" and the next word for its value, whatever that is: "--dry-run" would be a lock's path, and
/// the run a real one.
/// @param argc,argv  what stands behind the command's name
/// @return           "", or what is wrong with the first such word before "--"
std::string empty_option(const CLI::App& command, int argc, char** argv);

/// No option, and no positional word that may be left out, takes "" for a value. (The VALUE of a NAME=VALUE may be empty.)
void refuse_empty_values(CLI::App& command);

// ---- what several of them have in common ---------------------------------------------------------------------------------

/// A duration as parse_duration() reads it; CLI::ValidationError naming the option for anything else.
Millis duration(const std::string& option, const std::string& text);
/// The pause of a loop: longer than 0, as in the job file.
Millis pause_of_loop(const std::string& option, const std::string& text);

/// Of an option or a positional word there are only these: help shows them as "a|b|c", and another one is refused with all of
/// them, and with the likeliest.
CLI::Option* take_only(CLI::Option* option, const std::vector<std::string>& words);

using NamesAndValues = std::vector<std::pair<std::string, std::string>>;

/// NAME=VALUE, as often as one likes.
void add_values(CLI::App& command, const std::string& option, NamesAndValues& values, const std::string& help);
/// --lock and --set: of every command that reads a job file.
void add_job_file(CLI::App& command, JobFileOptions& file);
void add_state_directory(CLI::App& command, std::string& directory);

}  // namespace lockstep::options
