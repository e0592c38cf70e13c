#pragma once
// What the attempts of one worker have in common: its commands' surroundings, its connections, the stop that cuts them.

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "sys/command_mark.hpp"
#include "sys/http_client.hpp"
#include "sys/interrupt.hpp"
#include "sys/subprocess.hpp"

namespace lockstep {

/// What a command gets from its surroundings: its mark in the lock directory, and where its output goes.
class CommandHost {
  public:
    virtual ~CommandHost() = default;
    /// Called before it is started; its descriptor is inherited.
    virtual Result<CommandMark> command_mark() = 0;
    /// Called in the child, before it becomes the command: system calls and atomics only (SpawnRequest::on_begin). So whoever
    /// outlives us knows of every command that has begun.
    virtual void command_begins(pid_t pid, int mark) = 0;
    /// The command has been reaped, or could not be started (pid -1: there was no process to be had); `mark` is that of
    /// command_mark().
    virtual void command_ended(pid_t pid, CommandMark mark) = 0;
    /// Output as it comes: 1 for stdout, 2 for stderr.
    virtual void command_output(int fd, std::string_view bytes) = 0;
    /// A line for the log: "reserve: pid 812 is stopped (SIGTTIN)".
    virtual void command_notice(std::string_view line) = 0;
};

/// What all attempts of one worker thread share.
struct Workbench {
    std::size_t worker = 0;  ///< from 0 on; the thread of the pass is the first
    CommandHost* commands = nullptr;
    const Interrupt* cut = nullptr;      ///< fired when the phase in hand must be cut (the grace is used up)
    std::unique_ptr<HttpClient> http{};  ///< made by the first HTTP action
    std::optional<bool> shield{};        ///< commands ignore TERM, INT, HUP and QUIT; nullopt: as `shield_by_default` says
    /// Asked anew for each command: it may be set at any time. Null: false.
    const std::atomic<bool>* shield_by_default = nullptr;

    bool shields_commands() const { return shield.value_or(shield_by_default != nullptr && *shield_by_default); }
};

}  // namespace lockstep
