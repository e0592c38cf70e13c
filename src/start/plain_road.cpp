// `lockstep exec`, when nothing is out of the ordinary: a free lock, a command that can be started, no stop before it ends.
//
// It runs where the kernel enters the program, before the C library has started: starting that touches more memory than all of
// this, and a page fault costs more than a system call. For the same reason the guardian is no copy of the front, but a process
// in the same memory (stacks.hpp). At whatever point something else turns up, it goes to the C library's _start, with the
// arguments that the kernel gave, and main() goes on from there (handover.hpp). The front is the same code on either road
// (run/front.cpp), and never needs more.

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string_view>

#include "run/exec_child.hpp"
#include "run/front.hpp"
#include "start/entry.hpp"
#include "start/handover.hpp"
#include "start/plain_environment.hpp"
#include "start/plain_lock.hpp"
#include "start/plain_words.hpp"
#include "start/shared_memory.hpp"
#include "start/stacks.hpp"
#include "sys/stop_signals.hpp"

namespace lockstep::start {

namespace {

using Stage = ExecProgress::Stage;

/// What front and guardian begin with.
struct Beginning {
    InitialStack initial_stack;
    PlainWords words;
    InheritedSignals inherited{};
    SharedMemory* shared = nullptr;
    int front_end = -1;
    int guardian_end = -1;
};

/// All that the guardian writes but for its stack, and of that the first page only; the front has no part in it.
struct Workspace {
    char* environment[160];
    TextBuffer<200> run_ids;
    LockTexts lock;
};
static_assert(offsetof(Workspace, lock) + offsetof(LockTexts, record) + sizeof(std::size_t) + kRecordBlock < 4000);
// Nobody initializes anything before us.
alignas(16) constinit std::byte workspace[sizeof(Workspace)] = {};
alignas(16) constinit std::byte shared_memory[sizeof(SharedMemory)] = {};

class PlainGuardian {
  public:
    PlainGuardian(const Beginning& beginning, Workspace& work)
        : start_(beginning), work_(work), lock_(work.lock, beginning.shared->scope) {}

    [[noreturn]] void run() {
        ::setsid();
        signal_fd_ = make_signal_fd(start_.inherited, true);
        if (!signal_fd_) go_on(Stage::begun);
        const char* root = find_variable(environment_, "LOCKSTEP_LOCK_ROOT");
        if (!lock_.take(start_.words.lock, root, start_.words.command, signal_fd_)) go_on(Stage::begun);
        // Once more, now that the lock is ours: from here on a stop waits for the command.
        if (something_came(0) || !make_environment() || !start_command()) go_on(Stage::locked);
        something_came(-1);
        // A stop, the front's death, a command that was stopped: all that has not ended is the program's business.
        if (::waitpid(command_, &status_, WNOHANG) != command_) go_on(Stage::running);
        start_.shared->commands.remove(command_);
        if (!lock_.release()) go_on(Stage::ended);
        ::_exit(WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_));
    }

  private:
    /// A signal, or a request that the front passes on: nothing is read.
    bool something_came(int timeout) const {
        pollfd either[2] = {{signal_fd_.get(), POLLIN, 0}, {start_.guardian_end, POLLIN, 0}};
        return ::poll(either, 2, timeout) != 0;
    }

    bool make_environment() {
        constexpr unsigned kCapacity = sizeof work_.environment / sizeof *work_.environment;
        unsigned size = 0;
        for (; environment_[size] != nullptr; ++size) {
            if (size + 1 >= kCapacity) return false;
            work_.environment[size] = environment_[size];
        }
        work_.environment[size] = nullptr;
        const char* enclosing = find_variable(environment_, "LOCKSTEP_RUN_ID");
        work_.run_ids.append("LOCKSTEP_RUN_ID=");
        if (enclosing != nullptr && *enclosing != '\0') work_.run_ids.append(enclosing).append(" ");
        work_.run_ids.append(work_.lock.run_id);
        char* lock = const_cast<char*>(work_.lock.variable.c_str());
        char* run_ids = const_cast<char*>(work_.run_ids.c_str());
        return run_ids != nullptr && set_variable(work_.environment, size, kCapacity, lock) &&
               set_variable(work_.environment, size, kCapacity, run_ids);
    }

    bool start_command() {
        const CommandInput input = input_for_command();
        if (input.error != 0) return false;
        input_ = input.fd.get();
        const long pid = lockstep_vfork(become_command, this);
        if (pid < 0 || error_ != 0) {
            if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
            if (pid > 0) start_.shared->commands.remove(static_cast<pid_t>(pid));
            unmark_record(lock_.record());
            return false;
        }
        command_ = static_cast<pid_t>(pid);
        return true;
    }

    static void become_command(void* self) {
        auto* guardian = static_cast<PlainGuardian*>(self);
        begin_command(guardian->pid_, guardian->start_.shared->commands);
        const int record = guardian->lock_.record();
        guardian->error_ = set_up_command(guardian->input_, {&record, 1}, guardian->start_.inherited);
        if (guardian->error_ != 0) ::_exit(127);
        guardian->execute();
        guardian->error_ = errno;
        ::_exit(127);
    }

    /// execvp(3), as far as it is plain: any doubt is an error, and the C library's own is asked.
    void execute() {
        char** argv = start_.words.command;
        const std::string_view name = argv[0];
        if (name.find('/') != std::string_view::npos) {
            ::execve(argv[0], argv, work_.environment);
            return;
        }
        const char* path = find_variable(environment_, "PATH");
        errno = ENOENT;
        for (std::string_view rest = path != nullptr ? path : ""; !rest.empty() && errno == ENOENT && !name.empty();) {
            const std::string_view directory = rest.substr(0, rest.find(':'));
            rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
            TextBuffer<256> file;
            file.append(directory).append("/").append(name);
            if (directory.empty() || file.c_str() == nullptr) {
                errno = ENAMETOOLONG;
                return;
            }
            ::execve(file.c_str(), argv, work_.environment);
        }
    }

    /// The same process, from here on with all of the program.
    [[noreturn]] void go_on(Stage stage) {
        signal_fd_.reset();  // what has not been read from it stays pending
        handover.is_guardian = true;
        handover.socket = start_.guardian_end;
        handover.commands = &start_.shared->commands;
        handover.inherited = start_.inherited;
        handover.progress = {stage, lock_.parent(), lock_.directory(), lock_.record(), command_, status_};
        lockstep_enter_program(start_.initial_stack.copy_for_guardian());
    }

    const Beginning& start_;
    char** const environment_ = start_.initial_stack.environment();
    Workspace& work_;
    PlainLock lock_;
    UniqueFd signal_fd_;
    int input_ = -1;
    const pid_t pid_ = ::getpid();
    volatile int error_ = 0;  // of the command's child, which shares our memory
    pid_t command_ = -1;
    int status_ = 0;
};

void begin_guardian(void* beginning) {
    const auto& start = *static_cast<const Beginning*>(beginning);
    ::close(start.front_end);
    PlainGuardian(start, *::new (workspace) Workspace).run();
}

/// As run_in_guardian(), which tells what went wrong if this returns.
void take_plain_road(Beginning start) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return;
    UniqueFd front_end(pair[0]);
    UniqueFd guardian_end(pair[1]);
    if (front_end.get() <= STDERR_FILENO) return;  // a standard stream is closed: out of the ordinary
    start.shared = ::new (shared_memory) SharedMemory;
    start.front_end = front_end.get();
    start.guardian_end = guardian_end.get();
    start.inherited = block_signals();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);

    // `start` stays where it is for as long as either of them lives: from here on this function does not return, or nobody
    // began.
    const long pid = lockstep_begin_beside(&guardian_stacks.plain + 1, begin_guardian, &start);
    if (pid > 0) {
        guardian_end.reset();
        start.shared->scope.find_out();
        ::_exit(wait_for_guardian(start.inherited, start.words.lock, std::move(front_end), start.shared->commands,
                                  static_cast<pid_t>(pid)));
    }
    ::sigprocmask(SIG_SETMASK, &start.inherited.mask, nullptr);
}

}  // namespace

}  // namespace lockstep::start

void lockstep_consider(long* initial_stack) {
    using namespace lockstep::start;
    const PlainWords words = plain_words(static_cast<int>(*initial_stack), reinterpret_cast<char**>(initial_stack + 1));
    if (words.lock == nullptr) return;
    const InitialStack stack(initial_stack);
    if (stack.can_be_copied()) take_plain_road({stack, words});
}
