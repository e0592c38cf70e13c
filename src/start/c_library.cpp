// What the sources that the plain road shares with the program call of the C library, by bare system calls: the library itself
// is not there yet (its variables of a thread, errno among them, its choice of memcpy). All of it is local to the plain road;
// link_plain_road.cmake sees to that, and that nothing is missing.

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <ctime>

#include "start/stacks.hpp"
#include "start/system_call.hpp"

using lockstep::start::address;
using lockstep::start::system_call;

namespace {

// The kernel's signal sets have 64 bits; the first of those of a sigset_t.
constexpr long kSignalSetSize = 8;

/// As the C library does it: -1 and errno.
long checked(long result) {
    if (result >= 0 || result < -4095) return result;
    errno = static_cast<int>(-result);
    return -1;
}

template <class... Words>
int call(long number, Words... words) {
    return static_cast<int>(checked(system_call(number, static_cast<long>(words)...)));
}

/// struct sigaction as rt_sigaction(2) has it.
struct KernelAction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
};

int error_numbers[2];  // the front's, and the guardian's

unsigned long& bits(sigset_t* set) { return *reinterpret_cast<unsigned long*>(set); }

}  // namespace

extern "C" {

// ---- errno, signals -------------------------------------------------------------------------------------------------------

int* __errno_location() noexcept { return &error_numbers[lockstep::start::is_guardian() ? 1 : 0]; }

int sigemptyset(sigset_t* set) noexcept {
    for (unsigned long& word : set->__val) word = 0;
    return 0;
}
/// Without the two that the C library keeps for its threads.
int sigfillset(sigset_t* set) noexcept {
    sigemptyset(set);
    bits(set) = ~(3UL << 31U);
    return 0;
}
int sigaddset(sigset_t* set, int signal) noexcept {
    bits(set) |= 1UL << static_cast<unsigned>(signal - 1);
    return 0;
}
int sigdelset(sigset_t* set, int signal) noexcept {
    bits(set) &= ~(1UL << static_cast<unsigned>(signal - 1));
    return 0;
}
int sigprocmask(int how, const sigset_t* set, sigset_t* old) noexcept {
    return call(SYS_rt_sigprocmask, how, address(set), address(old), kSignalSetSize);
}
/// Only to ask, or to set the default action, which needs no restorer.
int sigaction(int signal, const struct sigaction* action, struct sigaction* old) noexcept {
    KernelAction now{action != nullptr ? action->sa_handler : nullptr, 0, nullptr, 0};
    KernelAction before{};
    const int done = call(SYS_rt_sigaction, signal, action != nullptr ? address(&now) : 0, address(&before), kSignalSetSize);
    if (done == 0 && old != nullptr) old->sa_handler = before.handler;
    return done;
}
sighandler_t signal(int number, sighandler_t handler) noexcept {
    struct sigaction action;
    action.sa_handler = handler;
    struct sigaction old;
    return sigaction(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}
int sigwaitinfo(const sigset_t* set, siginfo_t* info) {
    return call(SYS_rt_sigtimedwait, address(set), address(info), 0, kSignalSetSize);
}
int signalfd(int fd, const sigset_t* set, int flags) noexcept {
    return call(SYS_signalfd4, fd, address(set), kSignalSetSize, flags);
}
int kill(pid_t pid, int signal) noexcept { return call(SYS_kill, pid, signal); }
int raise(int signal) noexcept { return kill(getpid(), signal); }

const char* sigabbrev_np(int signal) noexcept {
    constexpr const char* kNames[] = {nullptr,  "HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",
                                      "FPE",    "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM",
                                      "STKFLT", "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",
                                      "XCPU",   "XFSZ", "VTALRM", "PROF", "WINCH", "POLL", "PWR",  "SYS"};
    return signal > 0 && signal < static_cast<int>(sizeof kNames / sizeof *kNames) ? kNames[signal] : nullptr;
}

// ---- files ----------------------------------------------------------------------------------------------------------------

int openat(int directory, const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return call(SYS_openat, directory, address(path), flags, mode);
}
int open(const char* path, int flags, ...) { return openat(AT_FDCWD, path, flags); }  // never to create
int close(int fd) { return call(SYS_close, fd); }
int fstat(int fd, struct stat* info) noexcept { return call(SYS_fstat, fd, address(info)); }
int fstatat(int directory, const char* path, struct stat* info, int flags) noexcept {
    return call(SYS_newfstatat, directory, address(path), address(info), flags);
}
int fstatfs(int fd, struct statfs* info) noexcept { return call(SYS_fstatfs, fd, address(info)); }
int mkdirat(int directory, const char* path, mode_t mode) noexcept { return call(SYS_mkdirat, directory, address(path), mode); }
int unlinkat(int directory, const char* path, int flags) noexcept {
    return call(SYS_unlinkat, directory, address(path), flags);
}
int flock(int fd, int operation) noexcept { return call(SYS_flock, fd, operation); }
int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    const long argument = va_arg(rest, long);
    va_end(rest);
    return call(SYS_fcntl, fd, command, argument);
}
int dup2(int from, int to) noexcept { return call(SYS_dup2, from, to); }
int isatty(int fd) noexcept {
    char modes[128];  // struct termios of the kernel is shorter
    return call(SYS_ioctl, fd, TCGETS, address(modes)) == 0 ? 1 : 0;
}
ssize_t read(int fd, void* buffer, std::size_t size) {
    return checked(system_call(SYS_read, fd, address(buffer), static_cast<long>(size)));
}
ssize_t write(int fd, const void* bytes, std::size_t size) {
    return checked(system_call(SYS_write, fd, address(bytes), static_cast<long>(size)));
}
ssize_t pwrite(int fd, const void* bytes, std::size_t size, off_t at) {
    return checked(system_call(SYS_pwrite64, fd, address(bytes), static_cast<long>(size), at));
}
ssize_t readlink(const char* path, char* buffer, std::size_t size) noexcept {
    return checked(system_call(SYS_readlink, address(path), address(buffer), static_cast<long>(size)));
}
char* getcwd(char* buffer, std::size_t size) noexcept {
    return checked(system_call(SYS_getcwd, address(buffer), static_cast<long>(size))) > 0 ? buffer : nullptr;
}
int poll(pollfd* fds, nfds_t count, int timeout) { return call(SYS_poll, address(fds), count, timeout); }
int socketpair(int domain, int type, int protocol, int* pair) noexcept {
    return call(SYS_socketpair, domain, type, protocol, address(pair));
}
ssize_t recv(int fd, void* buffer, std::size_t size, int flags) {
    return checked(system_call(SYS_recvfrom, fd, address(buffer), static_cast<long>(size), flags));
}
ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
    return checked(system_call(SYS_sendto, fd, address(bytes), static_cast<long>(size), flags));
}

// ---- processes ------------------------------------------------------------------------------------------------------------

pid_t getpid() noexcept { return call(SYS_getpid); }
pid_t getppid() noexcept { return call(SYS_getppid); }
uid_t geteuid() noexcept { return static_cast<uid_t>(call(SYS_geteuid)); }
pid_t setsid() noexcept { return call(SYS_setsid); }
int setpgid(pid_t pid, pid_t group) noexcept { return call(SYS_setpgid, pid, group); }
pid_t waitpid(pid_t pid, int* status, int options) { return call(SYS_wait4, pid, address(status), options, 0); }
int prctl(int option, ...) noexcept {
    va_list rest;
    va_start(rest, option);
    const long argument = va_arg(rest, long);
    va_end(rest);
    return call(SYS_prctl, option, argument, 0, 0, 0);
}
int execve(const char* path, char* const* argv, char* const* envp) noexcept {
    return call(SYS_execve, address(path), address(argv), address(envp));
}
pid_t fork() noexcept { return call(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
void _exit(int status) {
    for (;;) system_call(SYS_exit_group, status);
}
int uname(utsname* names) noexcept { return call(SYS_uname, address(names)); }
int clock_gettime(clockid_t clock, timespec* now) noexcept { return call(SYS_clock_gettime, clock, address(now)); }
ssize_t getrandom(void* buffer, std::size_t size, unsigned flags) {
    return checked(system_call(SYS_getrandom, address(buffer), static_cast<long>(size), flags));
}
/// USER_HZ: what _SC_CLK_TCK is on this processor, whatever the kernel's own clock does.
long sysconf(int) noexcept { return 100; }
}

// string_view::substr() beyond its end: a bug of ours.
namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char*, ...) { __builtin_trap(); }  // NOLINT(bugprone-reserved-identifier)
}  // namespace std
