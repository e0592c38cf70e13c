#include "syscall_stop.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include <array>
#include <map>

namespace syscall_stop {

namespace {

const std::map<std::uint64_t, const char*>& names() {
#define NAMED(name) {SYS_##name, #name}
    static const std::map<std::uint64_t, const char*> known{
        NAMED(read),
        NAMED(write),
        NAMED(close),
        NAMED(fstat),
        NAMED(lseek),
        NAMED(mmap),
        NAMED(mprotect),
        NAMED(munmap),
        NAMED(brk),
        NAMED(rt_sigaction),
        NAMED(rt_sigprocmask),
        NAMED(rt_sigtimedwait),
        NAMED(ioctl),
        NAMED(pread64),
        NAMED(pwrite64),
        NAMED(pwritev),
        NAMED(writev),
        NAMED(madvise),
        NAMED(getpid),
        NAMED(gettid),
        NAMED(socket),
        NAMED(connect),
        NAMED(sendto),
        NAMED(recvfrom),
        NAMED(sendmsg),
        NAMED(recvmsg),
        NAMED(shutdown),
        NAMED(bind),
        NAMED(getsockname),
        NAMED(getpeername),
        NAMED(socketpair),
        NAMED(setsockopt),
        NAMED(getsockopt),
        NAMED(clone),
        NAMED(clone3),
        NAMED(execve),
        NAMED(exit),
        NAMED(exit_group),
        NAMED(wait4),
        NAMED(waitid),
        NAMED(kill),
        NAMED(tgkill),
        NAMED(fcntl),
        NAMED(flock),
        NAMED(fsync),
        NAMED(fdatasync),
        NAMED(ftruncate),
        NAMED(fallocate),
        NAMED(getcwd),
        NAMED(umask),
        NAMED(gettimeofday),
        NAMED(getuid),
        NAMED(geteuid),
        NAMED(setsid),
        NAMED(setpgid),
        NAMED(statfs),
        NAMED(fstatfs),
        NAMED(prctl),
        NAMED(futex),
        NAMED(getdents64),
        NAMED(set_tid_address),
        NAMED(clock_nanosleep),
        NAMED(epoll_ctl),
        NAMED(openat),
        NAMED(mkdirat),
        NAMED(newfstatat),
        NAMED(unlinkat),
        NAMED(renameat),
        NAMED(renameat2),
        NAMED(linkat),
        NAMED(symlinkat),
        NAMED(readlinkat),
        NAMED(fchmod),
        NAMED(fchmodat),
        NAMED(faccessat),
        NAMED(faccessat2),
        NAMED(fchown),
        NAMED(ppoll),
        NAMED(pselect6),
        NAMED(set_robust_list),
        NAMED(signalfd4),
        NAMED(eventfd2),
        NAMED(timerfd_create),
        NAMED(timerfd_settime),
        NAMED(epoll_create1),
        NAMED(epoll_pwait),
        NAMED(pipe2),
        NAMED(dup3),
        NAMED(prlimit64),
        NAMED(sched_getaffinity),
        NAMED(getrandom),
        NAMED(rseq),
        NAMED(memfd_create),
        NAMED(statx),
        NAMED(pidfd_open),
        NAMED(pidfd_send_signal),
        NAMED(close_range),
        NAMED(uname),
        NAMED(sched_yield),
        NAMED(sysinfo),
        NAMED(inotify_init1),
        NAMED(inotify_add_watch),
        NAMED(accept4),
        NAMED(setpriority),
        NAMED(getpriority),
        NAMED(copy_file_range),
        NAMED(sync_file_range),
        NAMED(getppid),
        NAMED(getsid),
        NAMED(tkill),
        NAMED(utimensat),
#ifdef SYS_open  // what younger architectures never had
        NAMED(open),
        NAMED(creat),
        NAMED(stat),
        NAMED(lstat),
        NAMED(poll),
        NAMED(access),
        NAMED(pipe),
        NAMED(select),
        NAMED(dup2),
        NAMED(fork),
        NAMED(vfork),
        NAMED(rename),
        NAMED(mkdir),
        NAMED(rmdir),
        NAMED(link),
        NAMED(unlink),
        NAMED(symlink),
        NAMED(readlink),
        NAMED(chmod),
        NAMED(chown),
        NAMED(getpgrp),
        NAMED(epoll_wait),
        NAMED(eventfd),
        NAMED(signalfd),
        NAMED(arch_prctl),
#endif
    };
#undef NAMED
    return known;
}

#if defined(__x86_64__)
void change(pid_t tid, void (*how)(user_regs_struct& registers, long value), long value) {
    user_regs_struct registers{};
    if (::ptrace(PTRACE_GETREGS, tid, nullptr, &registers) != 0) return;  // killed meanwhile
    how(registers, value);
    ::ptrace(PTRACE_SETREGS, tid, nullptr, &registers);
}
#elif !defined(__aarch64__)
#error "how a call is skipped here, and where its result goes"
#endif

std::string read_link(const std::string& path) {
    std::array<char, 4096> text{};
    const ssize_t length = ::readlink(path.c_str(), text.data(), text.size());
    return {text.data(), static_cast<std::size_t>(length > 0 ? length : 0)};
}

/// The regular file behind a descriptor of `tid`, or "".
std::string file_of(std::uint64_t fd, pid_t tid) {
    const std::string name = read_link("/proc/" + std::to_string(tid) + "/fd/" + std::to_string(static_cast<int>(fd)));
    const bool regular = name.starts_with('/') && !name.starts_with("/dev/") && !name.starts_with("/memfd:");
    return regular ? name : "";
}

/// A path in the memory of `tid`.
std::string path_at(std::uint64_t address, pid_t tid) {
    std::array<char, 4096> text{};
    // Not beyond the page, for the next one may not be mapped.
    const std::size_t wanted = text.size() - address % text.size();
    const iovec here{text.data(), wanted - (wanted == text.size() ? 1 : 0)};
    const iovec there{reinterpret_cast<void*>(address), here.iov_len};  // NOLINT(performance-no-int-to-ptr): it is another's
    return ::process_vm_readv(tid, &here, 1, &there, 1, 0) > 0 ? text.data() : "?";
}

}  // namespace

std::optional<Call> entered(pid_t tid) {
    __ptrace_syscall_info info{};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return std::nullopt;
    Call call;
    call.number = info.entry.nr;
    for (std::size_t n = 0; n < call.arguments.size(); ++n) call.arguments[n] = info.entry.args[n];
    const auto known = names().find(call.number);
    call.name = known != names().end() ? known->second : "call_" + std::to_string(call.number);
    return call;
}

std::string durable_file(const Call& call, pid_t tid) {
    const std::string& name = call.name;
    if (name == "write" || name == "pwrite64" || name == "writev" || name == "pwritev" || name == "fsync" ||
        name == "fdatasync" || name == "ftruncate" || name == "fallocate") {
        return file_of(call.arguments[0], tid);
    }
    if (name == "mkdir" || name == "rmdir" || name == "unlink" || name == "rename") return path_at(call.arguments[0], tid);
    if (name == "open") return (call.arguments[1] & O_CREAT) != 0 ? path_at(call.arguments[0], tid) : "";
    if (name == "openat") return (call.arguments[2] & O_CREAT) != 0 ? path_at(call.arguments[1], tid) : "";
    const bool at = name == "mkdirat" || name == "unlinkat" || name == "renameat" || name == "renameat2" || name == "linkat";
    return at ? path_at(call.arguments[1], tid) : "";
}

void skip(pid_t tid) {
#if defined(__x86_64__)
    change(tid, [](user_regs_struct& registers, long) { registers.orig_rax = ~0ULL; }, 0);
#else
    int none = -1;
    iovec value{&none, sizeof none};
    ::ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &value);
#endif
}

void set_result(pid_t tid, long result) {
#if defined(__x86_64__)
    change(
        tid, [](user_regs_struct& registers, long value) { registers.rax = static_cast<unsigned long long>(value); }, result);
#else
    user_regs_struct registers{};
    iovec all{&registers, sizeof registers};
    if (::ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &all) != 0) return;
    registers.regs[0] = static_cast<unsigned long long>(result);
    ::ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &all);
#endif
}

}  // namespace syscall_stop
