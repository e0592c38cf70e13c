#include "sys/stop_signals.hpp"

#include <sys/signalfd.h>

#include <cstring>

namespace lockstep {

namespace {

bool is_ignored(int signal) {
    struct sigaction action{};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

StopRequest StopRequest::from(const siginfo_t& info) {
    // SI_KERNEL: the terminal driver made it (Ctrl-C, Ctrl-\, hang-up); si_pid means nothing then.
    const bool keyboard = info.si_code == SI_KERNEL;
    return {info.si_signo, keyboard, keyboard ? 0 : info.si_pid, keyboard ? 0 : info.si_uid};
}

TextBuffer<24> signal_text(int signal) {
    TextBuffer<24> text;
    const char* name = ::sigabbrev_np(signal);
    if (name != nullptr) {
        text.append("SIG").append(name);
    } else {
        text.append("signal ").append(signal);
    }
    return text;
}

std::string signal_name(int signal) { return std::string(signal_text(signal).view()); }

std::string describe(const StopRequest& request) {
    if (request.signal == 0) return "the death of the front";
    if (request.from_keyboard) {
        return signal_name(request.signal) + (request.signal == SIGHUP ? " from the terminal (hang-up)" : " from the keyboard");
    }
    return signal_name(request.signal) + " from pid " + std::to_string(request.pid) + " (uid " + std::to_string(request.uid) +
           ")";
}

bool InheritedSignals::is_stop_request(int signal) const {
    switch (signal) {
        case SIGTERM: return true;
        case SIGHUP: return !hup_ignored;
        case SIGINT: return !int_ignored;
        case SIGQUIT: return !quit_ignored;
        default: return false;
    }
}

InheritedSignals block_signals() {
    InheritedSignals inherited;
    sigset_t all;
    ::sigfillset(&all);
    for (const int signal : {SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT}) ::sigdelset(&all, signal);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) ::sigdelset(&all, signal);
    ::sigprocmask(SIG_SETMASK, &all, &inherited.mask);
    inherited.hup_ignored = is_ignored(SIGHUP);
    inherited.int_ignored = is_ignored(SIGINT);
    inherited.quit_ignored = is_ignored(SIGQUIT);
    if (is_ignored(SIGCHLD)) ::signal(SIGCHLD, SIG_DFL);
    return inherited;
}

sigset_t stop_signals(const InheritedSignals& inherited) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        if (inherited.is_stop_request(signal)) ::sigaddset(&set, signal);
    }
    return set;
}

UniqueFd make_signal_fd(const InheritedSignals& inherited, bool with_children) {
    sigset_t set = stop_signals(inherited);
    if (with_children) ::sigaddset(&set, SIGCHLD);
    return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Result<UniqueFd> open_signal_fd(const InheritedSignals& inherited, bool with_children) {
    UniqueFd fd = make_signal_fd(inherited, with_children);
    if (!fd) return os_error(Failure::os, "creating a signalfd");
    return fd;
}

std::optional<StopRequest> read_signal(int signal_fd) {
    signalfd_siginfo info{};
    if (::read(signal_fd, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return std::nullopt;
    const bool keyboard = info.ssi_code == SI_KERNEL;
    return StopRequest{static_cast<int>(info.ssi_signo), keyboard, keyboard ? 0 : static_cast<pid_t>(info.ssi_pid),
                       keyboard ? 0 : static_cast<uid_t>(info.ssi_uid)};
}

}  // namespace lockstep
