#include "run/exec_guardian.hpp"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "base/clock.hpp"
#include "base/exit_status.hpp"
#include "base/text.hpp"
#include "run/exec_child.hpp"
#include "run/exec_command_process.hpp"
#include "run/exec_locks.hpp"
#include "run/stop_policy.hpp"
#include "run/stop_requests.hpp"
#include "sys/enclosing_runs.hpp"
#include "sys/watch_either.hpp"

namespace lockstep {

namespace {

class ExecGuardian {
  public:
    ExecGuardian(const ExecOptions& options, GuardianLink& link, StopRequests requests)
        : options_(options), link_(link), locks_(options), requests_(std::move(requests)), policy_(options.grace, true) {}

    int run(const ExecProgress& progress) {
        if (link_.terminal != nullptr) continued_.open();
        if (progress.stage == ExecProgress::Stage::begun) {
            const auto wake = wake_for_waiting();
            if (!wake) {
                say(wake.error().text);
                return to_int(exit_status_of(wake.error().failure));
            }
            if (const auto refused = locks_.acquire(wake->get())) return *refused;
        } else {
            locks_.go_on_with(progress);
        }
        const int status = status_from(progress);
        locks_.release();
        return status;
    }

  private:
    int status_from(const ExecProgress& progress) {
        switch (progress.stage) {
            case ExecProgress::Stage::running: command_.go_on_with(progress.command, options_.argv); return end_of_command();
            case ExecProgress::Stage::ended: return exit_status_of_command(progress.status);
            default: break;
        }
        // Once more, now that the locks are ours: from here on a stop waits for the command.
        return requests_.next() ? to_int(ExitStatus::try_again) : run_command();
    }

    /// Only a wait needs something to wake it: one descriptor that is readable when a signal or a request is. Without it no
    /// stop would end the wait.
    Result<UniqueFd> wake_for_waiting() const {
        if (options_.wait == Millis{0}) return UniqueFd();
        return watch_either(requests_.from_kernel(), requests_.from_front(), "listening for a stop while waiting");
    }

    int run_command() {
        const CommandInput input = options_.interactive ? CommandInput() : input_for_command();
        if (input.error != 0) {
            say("opening /dev/null, the command's stdin where ours is a terminal: " + errno_text(input.error));
            return to_int(exit_status_of(Failure::os));
        }
        ::setenv("LOCKSTEP_LOCK", locks_.paths().c_str(), 1);
        ::setenv(kRunIdVariable, enclosing_runs_with(locks_.run_id()).c_str(), 1);
        const int error = command_.start(options_.argv, input.fd.get(), locks_.lend_records(), link_);
        if (error != 0) {
            say(printable(options_.argv[0]) + ": " + errno_text(error));
            return to_int(error == ENOENT ? ExitStatus::not_found : ExitStatus::cannot_execute);
        }
        if (options_.limit) limit_ = monotonic_now() + *options_.limit;
        return end_of_command();
    }

    int end_of_command() {
        const int status = wait_for_command();
        link_.commands->remove(command_.pid());
        return timed_out_ ? to_int(ExitStatus::cut) : status;
    }

    int wait_for_command() {
        for (;;) {
            while (const auto change = command_.change()) {
                if (change->ended) return ended(*change);
                if (link_.terminal != nullptr) {
                    suspend(change->stopped_by);
                    continue;
                }
                say(command_.text() + " is stopped (" + signal_name(change->stopped_by) + "); kill -CONT -" +
                    std::to_string(command_.pid()) + " lets it go on");
            }
            sleep_until_something_happens();
            if (continued_.take()) give_terminal();
            const auto request = requests_.next();
            if (request && is_for_command(*request)) {
                command_.signal_group(request->signal);
            } else if (request) {
                act(policy_.on_request(*request, monotonic_now()), describe(*request));
            }
            keep_time();
        }
    }

    int ended(const ExecCommandProcess::Change& end) {
        if (link_.terminal != nullptr) {
            const bool had_no_chance = end.killed || timed_out_;
            link_.terminal->take_back(command_.pid(), had_no_chance ? JobTerminal::Modes::restore : JobTerminal::Modes::keep);
        }
        return end.status;
    }

    /// The command was stopped: by Ctrl-Z, or because it wanted the terminal while another job has it.
    void suspend(int signal) {
        const bool wants_terminal = signal == SIGTTIN || signal == SIGTTOU;
        // `fg` of a job that was running is told to nobody.
        if (!wants_terminal || !link_.terminal->is_ours()) {
            link_.terminal->take_back(command_.pid(), JobTerminal::Modes::exchange);
            // SIGSTOP becomes SIGTSTP, which does not stop those whom no shell could continue.
            if (!stop_group(wants_terminal ? signal : SIGTSTP) && wants_terminal) command_.signal_group(SIGHUP);
        }
        give_terminal();
    }

    void give_terminal() {
        link_.terminal->give(command_.pid());
        command_.signal_group(SIGCONT);
    }

    /// Typed while the job has the terminal, not the command (after such a `fg`), but meant for it.
    bool is_for_command(const StopRequest& request) const {
        return link_.terminal != nullptr && request.from_keyboard && request.signal != SIGHUP;
    }

    void sleep_until_something_happens() const {
        pollfd wait[] = {
            {requests_.from_kernel(), POLLIN, 0}, {requests_.from_front(), POLLIN, 0}, {continued_.fd(), POLLIN, 0}};
        auto deadline = policy_.deadline();
        for (const auto& other : {limit_, kill_at_}) {
            if (other) deadline = deadline ? std::min(*deadline, *other) : *other;
        }
        ::poll(wait, std::size(wait), deadline ? millis_until(*deadline) : -1);
    }

    void keep_time() {
        const MonotonicTime now = monotonic_now();
        if (policy_.deadline() && now >= *policy_.deadline()) {
            act(policy_.on_deadline(), "the grace of " + format_duration(*options_.grace) + " is used up");
        }
        if (limit_ && now >= *limit_) {
            limit_.reset();
            timed_out_ = true;
            kill_at_ = now + kTermToKill;
            terminate("its limit of " + format_duration(*options_.limit) + " is over");
        }
        if (kill_at_ && now >= *kill_at_) {
            kill_at_.reset();
            command_.signal_group(SIGKILL);
            if (!options_.quiet)
                say("SIGKILL sent to " + command_.text() + ", " + format_duration(kTermToKill) + " after SIGTERM");
        }
    }

    void act(StopPolicy::Action action, const std::string& why) {
        if (action == StopPolicy::Action::begin) {
            locks_.note_stopping(why);
            if (options_.grace == Millis{0}) action = policy_.on_deadline();  // nothing is waited for, nor said of it
        }
        if (action == StopPolicy::Action::cut) return terminate(why);
        if (action == StopPolicy::Action::ask) {
            return say(why + ": waiting for " + command_.text() + "; press Ctrl-C once more within 5 s to send it SIGTERM");
        }
        if (options_.quiet || !waiting_line_.is_due()) return;
        std::string line = why + ": waiting for " + command_.text();
        const auto& forward_at = policy_.deadline();
        if (forward_at) line += ", SIGTERM for it in " + describe_duration(Millis{millis_until(*forward_at)});
        say(line);
    }

    void terminate(const std::string& why) const {
        command_.signal_group(SIGTERM);
        command_.signal_group(SIGCONT);  // a stopped process acts on no signal but this and KILL
        if (!options_.quiet) say(why + ": SIGTERM sent to " + command_.text() + "; waiting for its end");
    }

    void say(const std::string& line) const { exec_say(options_.locks.front(), line); }

    const ExecOptions& options_;
    GuardianLink& link_;
    ExecLocks locks_;
    StopRequests requests_;
    ContinuedSignal continued_;
    ExecCommandProcess command_;
    StopPolicy policy_;
    std::optional<MonotonicTime> limit_;
    std::optional<MonotonicTime> kill_at_;
    bool timed_out_ = false;
    RepeatedLine waiting_line_;
};

}  // namespace

int exec_under_locks(const ExecOptions& options, GuardianLink& link, const ExecProgress& progress) {
    auto requests = StopRequests::open(link, true);
    if (!requests) {
        exec_say(options.locks.front(), requests.error().text);
        return to_int(exit_status_of(requests.error().failure));
    }
    return ExecGuardian(options, link, std::move(*requests)).run(progress);
}

}  // namespace lockstep
