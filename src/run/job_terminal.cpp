#include "run/job_terminal.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace lockstep {

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : signals) ::sigaddset(&set, signal);
    return set;
}

/// Takes a pending SIGCONT, if there is one.
bool was_continued() {
    const sigset_t set = set_of({SIGCONT});
    constexpr timespec kAtOnce{};
    return ::sigtimedwait(&set, nullptr, &kAtOnce) == SIGCONT;
}

}  // namespace

JobTerminal::JobTerminal() : fd_(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)), job_(::getpgrp()) {
    if (termios modes{}; fd_ && ::tcgetattr(fd_.get(), &modes) == 0) jobs_modes_ = modes;
}

bool JobTerminal::is_ours() const { return fd_ && ::tcgetpgrp(fd_.get()) == job_; }

void JobTerminal::give(pid_t group) {
    if (!is_ours()) return;
    // The shell may have set others while the job was stopped.
    if (termios modes{}; ::tcgetattr(fd_.get(), &modes) == 0) jobs_modes_ = modes;
    if (commands_modes_) ::tcsetattr(fd_.get(), TCSANOW, &*commands_modes_);
    commands_modes_.reset();
    ::tcsetpgrp(fd_.get(), group);
}

void JobTerminal::take_in_child() const { ::tcsetpgrp(fd_.get(), ::getpid()); }

void JobTerminal::take_back(pid_t group, Modes modes) {
    if (!fd_) return;
    const pid_t holder = ::tcgetpgrp(fd_.get());
    if (holder != group && (holder <= 0 || ::kill(-holder, 0) == 0 || errno != ESRCH)) return;
    termios now{};
    if (modes == Modes::exchange && ::tcgetattr(fd_.get(), &now) == 0) commands_modes_ = now;
    // TCSANOW: output that waits in a stopped terminal (Ctrl-S) must not hold us up.
    if (modes != Modes::keep && jobs_modes_) ::tcsetattr(fd_.get(), TCSANOW, &*jobs_modes_);
    ::tcsetpgrp(fd_.get(), job_);
}

void ContinuedSignal::open() {
    const sigset_t set = set_of({SIGCONT});
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

bool ContinuedSignal::take() const { return fd_ && was_continued(); }

void block_job_control_signals() {
    const sigset_t set = set_of({SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT});
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

bool stop_group(int signal) {
    was_continued();  // an old one means nothing
    ::kill(0, signal);
    const sigset_t set = set_of({signal});
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);  // here we stop
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return was_continued();
}

}  // namespace lockstep
