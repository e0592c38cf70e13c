#pragma once
// Signals as messages: blocked from the first line of main, read where it suits, never handled by a handler.

#include <csignal>
#include <optional>
#include <string>

#include <sys/types.h>

#include "base/error.hpp"
#include "base/text_buffer.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// One request to stop: a signal and who sent it, or the death of the front. Plain data, for it crosses a socket.
struct StopRequest {
    int signal = 0;  ///< 0: the front died
    bool from_keyboard = false;
    pid_t pid = 0;
    uid_t uid = 0;

    static StopRequest front_died() { return {}; }
    static StopRequest from(const siginfo_t& info);
};

/// "SIGTERM from pid 812 (uid 0)", "SIGINT from the keyboard", "the death of the front".
std::string describe(const StopRequest& request);

/// "SIGTERM", or "signal 44" for one without a name.
std::string signal_name(int signal);
/// The same without an allocation.
TextBuffer<24> signal_text(int signal);

/// What the process was started with, so that commands can be given it back.
struct InheritedSignals {
    sigset_t mask{};
    bool hup_ignored = false;  ///< nohup(1)
    bool int_ignored = false;  ///< a background job of a shell without job control
    bool quit_ignored = false;

    /// May this signal stop us? One that was ignored when we were started stays ignored.
    bool is_stop_request(int signal) const;
};

/// Blocks every signal that can be blocked but those of job control (TSTP, TTIN, TTOU, CONT), and gives SIGCHLD its default
/// action, since an inherited SIG_IGN makes waitpid(2) lose statuses. To be called before anything else, and before any thread
/// exists.
InheritedSignals block_signals();

/// TERM, INT, HUP, QUIT without those that were ignored at the start.
sigset_t stop_signals(const InheritedSignals& inherited);

/// signalfd(2) on stop_signals(), and on SIGCHLD if asked; non-blocking, close-on-exec. Or errno.
UniqueFd make_signal_fd(const InheritedSignals& inherited, bool with_children);
Result<UniqueFd> open_signal_fd(const InheritedSignals& inherited, bool with_children);

/// The next signal from such a descriptor, or nullopt if none is waiting. A SIGCHLD is returned with its number, too.
std::optional<StopRequest> read_signal(int signal_fd);

}  // namespace lockstep
