#pragma once
// What connects the guardian to its front: stop requests one way, what the world outside is to be told the other.

#include <cstddef>
#include <optional>
#include <string_view>

#include "run/command_table.hpp"
#include "run/job_terminal.hpp"
#include "sys/stop_signals.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// The guardian's end of what connects the two.
struct GuardianLink {
    UniqueFd socket;  ///< StopRequest messages; end of file: the front is dead
    CommandTable* commands = nullptr;
    InheritedSignals inherited;
    bool listened_to = false;         ///< the front has a FrontListener
    JobTerminal* terminal = nullptr;  ///< of `exec --interactive`: to be given to the command

    /// For the front's listener: at most kLongestMessage bytes. Never waits; what a front that is dead or stopped does not take
    /// is lost.
    void tell(std::string_view text) const noexcept;
    static constexpr std::size_t kLongestMessage = 1000;
};

/// Reads the next stop request from the front, or nullopt if none is waiting.
std::optional<StopRequest> receive_request(int socket);

}  // namespace lockstep
