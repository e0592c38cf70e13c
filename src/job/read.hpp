#pragma once
// The parts of the reader, from the whole job down to one request: inside this room only.

#include "job/texts.hpp"

namespace lockstep {

JobSpec read_job(Reading& reading, const Place& root, const JobFileOptions& options);
std::optional<ItemsSpec> read_items(Reading& reading, const Place& at);
/// The declared parameters with the values in force: defaults, then --set.
Json read_params(Reading& reading, const std::optional<Place>& at, const JobFileOptions& options);
std::map<std::string, SecretSpec, std::less<>> read_secrets(Reading& reading, const std::optional<Place>& at);
std::optional<NoticeSpec> read_notice(Reading& reading, const std::optional<Place>& at);
/// Without its definition. `index`: its place among the steps.
StepSpec read_step(Reading& reading, const Place& at, std::size_t index);
PhaseSpec read_phase(Reading& reading, const Fields& fields, const Surroundings& around);

/// The action of an object that has "http" or "command", or nothing if that is wrong.
struct ReadAction {
    ActionSpec action;
    std::optional<Place> outputs;  ///< "outputs" inside a command object
};
std::optional<ReadAction> read_action(Reading& reading, const Fields& fields, const EnumShape& methods,
                                      const Surroundings& around);
HttpSpec read_http(Reading& reading, const Place& at, const EnumShape& methods, const Surroundings& around);
CommandSpec read_command(Reading& reading, const Place& at, const Surroundings& around, std::optional<Place>& outputs);
/// "outputs" of the object or of its command; both is an error.
std::optional<Place> outputs_place(Reading& reading, const Fields& fields, const ReadAction& action);

// ---- rules about what was read ---------------------------------------------------------------------------------------

/// An expression inside the script of `sh -c SCRIPT` would be run as shell code.
void check_shell_script(Reading& reading, const Place& argv_place, const std::vector<Template>& argv);
/// Fills in the phase's `inDoubt`, and checks it against key, method and probe.
void read_in_doubt(Reading& reading, const Fields& fields, PhaseSpec& phase);
/// Fills in the phase's deadline from its timeout and retries, or checks the explicit one against them.
void read_deadline(Reading& reading, const Fields& fields, PhaseSpec& phase);
/// Fills in the job's grace from its longest pair, or checks the explicit one against it.
void read_grace(Reading& reading, const std::optional<Place>& grace, JobSpec& job);
/// Every expression refers to something that exists by then.
void check_references(Reading& reading, const JobSpec& job);
/// Two runs with different parameters must not have the same keys.
void check_key(Reading& reading, const JobSpec& job, const std::optional<Place>& key);
/// No object of the file has a key twice.
void check_duplicate_keys(Findings& findings, const Place& at);

}  // namespace lockstep
