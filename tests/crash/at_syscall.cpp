// Kills a run's guardian at a chosen system call, or lets a call fail.
//
//     at_syscall OUT list -- PROGRAM…                       OUT: a line for each call of the guardian, "THREAD NAME [FILE]"
//     at_syscall OUT kill THREAD NTH guardian|both -- …     SIGKILL when THREAD is about to make its NTH call
//     at_syscall OUT fail THREAD NAME NTH ERRNO -- …        THREAD's NTH call NAME of those listed with a FILE fails
//
// OUT then names the call, or is empty: it was never reached. The exit status is the program's. The guardian is the first child
// that PROGRAM forks; its threads are counted in the order in which they were made, 0 being the first; commands that it
// starts are left alone. strace(1) can do this only for whichever thread comes first to the NTH call of a name.

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "syscall_stop.hpp"

namespace {

struct Order {
    enum class What : std::uint8_t { list, kill, fail } what = What::list;
    std::string out;
    std::size_t thread = 0;
    std::string name;  ///< of the call that is to fail
    std::size_t nth = 0;
    int error = 0;
    bool front_too = false;
    std::vector<char*> program;
};

std::optional<Order> read_order(std::span<char*> words) {
    const auto dashes = std::find_if(words.begin(), words.end(), [](const char* word) { return std::strcmp(word, "--") == 0; });
    const std::vector<std::string> before(words.begin(), dashes);
    if (dashes == words.end() || dashes + 1 == words.end() || before.size() < 2) return std::nullopt;
    Order order;
    order.out = before[0];
    order.program.assign(dashes + 1, words.end());
    order.program.push_back(nullptr);
    if (before[1] == "list" && before.size() == 2) return order;
    if (before[1] == "kill" && before.size() == 5) {
        order.what = Order::What::kill;
        order.thread = std::stoul(before[2]);
        order.nth = std::stoul(before[3]);
        order.front_too = before[4] == "both";
        return order;
    }
    if (before[1] != "fail" || before.size() != 6) return std::nullopt;
    order.what = Order::What::fail;
    order.thread = std::stoul(before[2]);
    order.name = before[3];
    order.nth = std::stoul(before[4]);
    order.error = std::stoi(before[5]);
    return order;
}

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(125);
}

class Tracer {
  public:
    explicit Tracer(const Order& order) : order_(order) {}

    /// @return the status of the front, as waitpid(2) tells it
    int run() {
        start();
        int front_status = 0;
        for (;;) {
            int status = 0;
            const pid_t pid = ::waitpid(-1, &status, __WALL);
            if (pid < 0 && errno == EINTR) continue;
            if (pid < 0) return front_status;  // ECHILD: the front and all that we traced have ended
            if (!WIFSTOPPED(status)) {
                if (pid == front_) front_status = status;
            } else if (pid == front_) {
                front_stopped(status);
            } else {
                guardian_stopped(pid, status);
            }
        }
    }

    void write_out() const {
        std::ofstream file(order_.out);
        file << out_;
        if (!file.flush()) give_up("the list");
    }

  private:
    struct Thread {
        std::size_t index = 0;
        bool started = false;   ///< has stopped once
        std::size_t calls = 0;  ///< all, or when one is to fail those it is chosen from
        bool inside = false;    ///< between the entry of a call and its exit
        bool to_fail = false;
    };

    void start() {
        int go[2];
        if (::pipe2(go, O_CLOEXEC) != 0) give_up("pipe");
        front_ = ::fork();
        if (front_ < 0) give_up("fork");
        if (front_ == 0) {
            char byte = 0;
            ::close(go[1]);
            while (::read(go[0], &byte, 1) < 0 && errno == EINTR) {
            }
            ::execvp(order_.program[0], order_.program.data());
            give_up(order_.program[0]);
        }
        if (::ptrace(PTRACE_SEIZE, front_, nullptr, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL) != 0) give_up("ptrace");
        ::close(go[0]);
        ::close(go[1]);
    }

    void front_stopped(int status) {
        if (status >> 16 == PTRACE_EVENT_FORK) {
            unsigned long child = 0;
            ::ptrace(PTRACE_GETEVENTMSG, front_, nullptr, &child);
            guardian_ = static_cast<pid_t>(child);
            know(guardian_);
            ::ptrace(PTRACE_DETACH, front_, nullptr, nullptr);  // from here on it is nobody's business
            return;
        }
        ::ptrace(PTRACE_CONT, front_, nullptr, status >> 16 != 0 ? 0 : WSTOPSIG(status));
    }

    void guardian_stopped(pid_t tid, int status) {
        const auto known = threads_.find(tid);
        if (known == threads_.end()) {
            unnamed_.insert(tid);  // it has stopped before its maker did, who tells which one it is
            return;
        }
        if (!std::exchange(known->second.started, true)) return begin(tid);
        int signal = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            call_stopped(tid, known->second);
        } else if (status >> 16 == PTRACE_EVENT_CLONE) {
            unsigned long made = 0;
            ::ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &made);
            know(static_cast<pid_t>(made));
        } else if (status >> 16 == 0) {
            signal = WSTOPSIG(status);
        }
        ::ptrace(PTRACE_SYSCALL, tid, nullptr, signal);
    }

    /// Threads are numbered in the order in which they were made, not in that in which they first ran.
    void know(pid_t tid) {
        Thread& thread = threads_[tid];
        thread.index = threads_made_++;
        thread.started = unnamed_.erase(tid) > 0;
        if (thread.started) begin(tid);
    }

    static void begin(pid_t tid) {
        // Inherited by the threads that it makes. No forks: commands run untraced.
        ::ptrace(PTRACE_SETOPTIONS, tid, nullptr, PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
        ::ptrace(PTRACE_SYSCALL, tid, nullptr, 0);
    }

    void call_stopped(pid_t tid, Thread& thread) {
        thread.inside = !thread.inside;
        if (!thread.inside) {
            if (thread.to_fail) syscall_stop::set_result(tid, -order_.error);
            thread.to_fail = false;
            return;
        }
        const auto call = syscall_stop::entered(tid);
        if (!call) {
            thread.inside = false;
            return;
        }
        switch (order_.what) {
            case Order::What::list: note(thread, *call, tid); break;
            case Order::What::kill: kill_if_due(thread, *call, tid); break;
            case Order::What::fail: fail_if_due(thread, *call, tid); break;
        }
    }

    void note(const Thread& thread, const syscall_stop::Call& call, pid_t tid) {
        out_ += std::to_string(thread.index) + ' ' + call.name + ' ' + syscall_stop::durable_file(call, tid) + '\n';
    }

    void kill_if_due(Thread& thread, const syscall_stop::Call& call, pid_t tid) {
        if (++thread.calls != order_.nth || thread.index != order_.thread) return;
        note(thread, call, tid);
        // The call is not carried out any more; the other threads get as far as the scheduler lets them.
        if (order_.front_too) ::kill(front_, SIGKILL);
        ::kill(guardian_, SIGKILL);
    }

    void fail_if_due(Thread& thread, const syscall_stop::Call& call, pid_t tid) {
        if (thread.index != order_.thread || call.name != order_.name) return;
        if (syscall_stop::durable_file(call, tid).empty() || ++thread.calls != order_.nth) return;
        note(thread, call, tid);
        syscall_stop::skip(tid);
        thread.to_fail = true;
    }

    const Order& order_;
    pid_t front_ = 0;
    pid_t guardian_ = 0;
    std::map<pid_t, Thread> threads_;
    std::set<pid_t> unnamed_;  ///< stopped, and to be resumed once they are known
    std::size_t threads_made_ = 0;
    std::string out_;
};

}  // namespace

int main(int argc, char** argv) {
    const auto order = read_order(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
    if (!order) {
        std::cerr << "usage: at_syscall OUT list | kill THREAD NTH guardian|both | fail THREAD NAME NTH ERRNO -- PROGRAM...\n";
        return 64;
    }
    Tracer tracer(*order);
    const int status = tracer.run();
    tracer.write_out();
    if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
    ::signal(WTERMSIG(status), SIG_DFL);
    ::raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}
