#pragma once
// What a command that other tools put under a lock becomes as `lockstep exec`.

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/duration.hpp"
#include "base/shell_words.hpp"

namespace lockstep {

/// Of a lock's bare name.
constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

/// One use of a lock: what all the tools have in common.
struct LockCall {
    std::string program = "lockstep";  ///< as it is written
    std::string lock;                  ///< as it is written behind `lockstep exec`: a name, or a path in the line's own quoting
    std::optional<Millis> wait = Millis{0};  ///< for a busy lock; 0: it is given up at once; nullopt: for ever
    bool shared = false;
    bool quiet = true;  ///< the old tool says nothing about a busy lock
    bool verbose = false;
    bool no_grace = false;           ///< something before it ends it by a signal after a time, and means it
    std::string timeout_signal;      ///< and that signal, without SIG
    std::optional<int> busy_status;  ///< what the old tool exits with, where it was named or somebody looks at it
    int old_busy_status = 1;         ///< what it exits with otherwise
    std::string kept;                ///< what stays of the old command in front of the new one ("chpst -u www")
    std::string shell_command;       ///< in the line's own quoting: to be run by a shell
    std::size_t command_word = 0;    ///< where the command begins among the words, if it is no shell_command
    std::string named_after;         ///< what `lock` was named after, if it is not the old place
    std::string why_named;           ///< and why: goes on behind "the lock is the directory /tmp/NAME.lock"
    std::vector<std::string> notes;  ///< what changes
};

/// A line that is not read tells why, and what to do.
using LockCallResult = std::expected<LockCall, std::string>;

/// Is this the name of a program that holds a lock for another (flock, setlock, s6-setlock, chpst, run-one)?
bool is_lock_program(std::string_view name);

/// `words` begin with the program's name. chpst without a lock, which is none of our business: an empty reason.
LockCallResult read_lock_call(std::string_view name, std::span<const ShellToken> words);

/// The place that a lock file becomes: `/tmp/NAME.lock` is NAME, a file that is only used as a lock keeps its path, anything
/// else that was locked gets a lock named after it.
/// @param others  the command's words: what is run, or is used in a script among them, is no lock file
std::expected<void, std::string> place_lock_file(LockCall& call, const ShellToken& file, std::span<const ShellToken> others);

/// The same for a file that is known to be nothing but a lock: the line makes and removes it.
std::expected<void, std::string> keep_lock_file(LockCall& call, const ShellToken& file);

/// The same for a directory that scripts make by mkdir.
std::expected<void, std::string> place_lock_directory(LockCall& call, const ShellToken& directory);

/// "nightly.sh" of "/srv/nightly.sh", as a lock's name.
std::string name_after(std::string_view path);

/// `lockstep exec … LOCK --`
std::string exec_prefix(const LockCall& call);

/// `lockstep exec … LOCK -c SCRIPT`, or where another shell than /bin/sh is to run it, or chpst before it, `… -- SHELL -c
/// SCRIPT`.
std::string exec_by_shell(const LockCall& call, const std::string& shell, const std::string& script);

}  // namespace lockstep
