#pragma once
// Programs that start other programs: what each does with a request to stop, and where the other's command begins. Inside this
// room only.

#include <optional>
#include <string>
#include <vector>

#include "base/duration.hpp"

namespace lockstep {

enum class FrontKind {
    becomes,       ///< takes its own place by exec(2), as env(1)
    passes,        ///< hands a SIGTERM on and waits, as sudo(8)
    takes,         ///< ends by it, or keeps it, as flock(1)
    timeout,       ///< hands it on and waits; -k D: not longer than D
    changes_user,  ///< su(1), runuser(1): hand it on, and kill 2 s later
    shell,
    lockstep,
    unknown,
};

/// By the first word of a command.
FrontKind front_kind(const std::string& program);

bool is_shell(const std::string& word);
/// -c, -lc; not --norc
bool takes_script(const std::string& option);
/// Whether a command starts a run, itself or by the script of a shell; `lockstep check` before it is none.
bool starts_run(const std::vector<std::string>& words);

/// The command behind a program that is no shell and no lockstep. Empty: it starts no run.
struct CommandBehind {
    std::size_t at = 0;  ///< its first word; of a script behind -c, that
    std::vector<std::string> words;
    bool script = false;  ///< `words` are those of the shell that would run it
};
CommandBehind command_behind(const std::vector<std::string>& words);

/// `lockstep exec …`
struct ExecInFront {
    std::optional<Millis> grace = Millis{30'000};  ///< nullopt: for ever
    CommandBehind command;
    std::vector<std::string> at_once;  ///< up to its command, with --grace 0
};
ExecInFront exec_in_front(const std::vector<std::string>& words);

/// Of `timeout -k D …`, and the words before its command without it.
struct TimeoutInFront {
    std::optional<Millis> kill_after;
    std::string option;  ///< "timeout -k 1"
    std::vector<std::string> patient;
};
TimeoutInFront timeout_in_front(const std::vector<std::string>& words, std::size_t command_at);

/// Of su and runuser; root where nobody is named.
std::string user_in_front(const std::vector<std::string>& words);

}  // namespace lockstep
