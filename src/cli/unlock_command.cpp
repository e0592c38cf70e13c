#include "cli/unlock_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "cli/output.hpp"
#include "journal/journal_reader.hpp"
#include "lock/holder_process.hpp"
#include "lock/left_behind.hpp"
#include "report/lock_report.hpp"
#include "run/run_options.hpp"
#include "sys/user_name.hpp"

namespace lockstep {

namespace {

/// Why the lock stays, and what to do.
std::unexpected<Error> refuse(Failure failure, const LockView& lock, const std::string& why) {
    return fail(failure, printable(lock.path, 4096) + ": " + why);
}

const LockRecord* find_among(const std::vector<LockRecord>& readers, const std::string& run_id) {
    const auto reader = std::ranges::find(readers, run_id, &LockRecord::run_id);
    return reader == readers.end() ? nullptr : &*reader;
}

/// The run that is meant, as it stands in the lock.
const LockRecord* find_run(const LockView& lock, const std::string& run_id) {
    return lock.record && lock.record->run_id == run_id ? &*lock.record : find_among(lock.readers, run_id);
}

std::string wait_advice(const LockView& lock) {
    if (lock.orphan_pid == 0) return "Wait until it has";
    return "Wait for that, or end it: kill " + std::to_string(lock.orphan_pid);
}

std::unexpected<Error> refuse_dead_reader(const LockView& lock, const LockRecord& dead) {
    return refuse(Failure::busy, lock,
                  "run " + printable(dead.run_id) + " has died, and the last of those who share the lock clears up after it: " +
                      lock.text + (lock.orphan_pid > 0 ? ". " + wait_advice(lock) : ""));
}

bool is_dead(const LockView& lock) { return lock.state == LockState::left_behind; }

/// Nothing of ours can lie there. What cannot be found is the command line's fault, not the system's.
Error no_such_place(Error problem) {
    const bool missing = problem.errno_value == ENOENT || problem.errno_value == ENOTDIR;
    if (missing) problem.failure = Failure::no_job_file;
    if (missing) problem.text += ". What locks there are, and what they are called: lockstep locks";
    return problem;
}

/// What can be said without knowing which run is meant. Nothing: there is a run that it could be.
std::optional<Error> hopeless(const LockView& lock) {
    if (lock.problem) return no_such_place(*lock.problem);
    if (lock.state == LockState::foreign)
        return refuse(Failure::lock, lock, "it was " + lock.text + "; " + removal_advice(lock)).error();
    const bool is_there = lock.record || !lock.readers.empty() || lock.changed_ms > 0;
    if (is_there && lock.owner != ::geteuid()) {
        const bool alive = lock.state == LockState::held || lock.state == LockState::shared;
        return refuse(Failure::lock, lock,
                      "it is of " + user_name(lock.owner) + ": only they can " + (alive ? "end it" : "take it over") +
                          ". As root: " + unlock_command_line(lock) + (alive ? " --terminate" : ""))
            .error();
    }
    if (lock.record || !lock.readers.empty()) return std::nullopt;
    if (const std::string advice = removal_advice(lock); !advice.empty()) {
        return refuse(Failure::busy, lock, "no record tells whose it is, so that no run can be named; " + advice).error();
    }
    return refuse(Failure::busy, lock, lock.text).error();
}

Error wrong_run(const LockView& lock, const std::string& given) {
    const std::string said = given.empty() ? "Name the run that is meant" : "There is no run " + printable(given) + " in it";
    const std::string terminate = is_dead(lock) ? "" : " --terminate";
    const std::string first =
        lock.orphan_pid > 0 ? "; end that first (kill " + std::to_string(lock.orphan_pid) + "), then" : "";
    return {Failure::usage,
            printable(lock.path, 4096) + ": " + lock.text + ". " + said + first + ": " + unlock_command_line(lock) + terminate,
            0};
}

/// What the dead run left half done is told, for a removed lock does not undo it.
std::string open_pairs_text(const LockRecord& left) {
    if (left.journal.empty()) return "";
    const std::filesystem::path journal(left.journal);
    auto reader = JournalReader::open({journal.parent_path().native(), journal.stem().native()});
    const auto pairs = reader && *reader ? (*reader)->unfinished() : Result<std::vector<Pair>>();
    if (!reader || !pairs) {
        return "its journal cannot be looked into: " + printable(reader ? pairs.error().text : reader.error().text, 2000) +
               "\n";
    }
    const auto open = std::ranges::count_if(*pairs, [](const Pair& pair) { return pair.state != PairState::parked; });
    if (open == 0) return "";
    return std::to_string(open) + (open == 1 ? " pair is" : " pairs are") + " open in " + printable(left.journal, 4096) +
           ": the next run of " + printable(left.job) + " settles " + (open == 1 ? "it" : "them") + " first (lockstep status " +
           printable(shell_quoted(left.job)) + ")\n";
}

class Unlocking {
  public:
    Unlocking(const InheritedSignals& inherited, const UnlockArguments& arguments)
        : mask_(inherited.mask), arguments_(arguments) {}

    /// @return what was done, for stdout
    Result<std::string> run() {
        LockView lock = look_at_lock(arguments_.lock);
        if (lock.state == LockState::free) return printable(lock.path, 4096) + ": there is no lock\n";
        if (auto problem = hopeless(lock)) return std::unexpected(std::move(*problem));
        if (const LockRecord* dead = find_among(lock.dead_readers, arguments_.run)) return refuse_dead_reader(lock, *dead);
        const LockRecord* found = find_run(lock, arguments_.run);
        if (found == nullptr) return std::unexpected(wrong_run(lock, arguments_.run));
        const LockRecord left = *found;
        if (lock.is_taken_over) return refuse(Failure::busy, lock, lock.text + ". " + wait_advice(lock));
        if (lives(lock)) {
            if (!arguments_.terminate) return refuse_live(lock);
            if (auto ended = terminate(lock, left); !ended) return std::unexpected(std::move(ended.error()));
            lock = look_at_lock(arguments_.lock);
            if (lock.state == LockState::free || find_run(lock, left.run_id) == nullptr)
                return printable(lock.path, 4096) + ": run " + printable(left.run_id) + " has given it back\n" +
                       open_pairs_text(left);
            if (lives(lock)) return refuse_live(lock);
        }
        // Whatever the records look like, the protocol decides: who is alive has the flock.
        if (auto removed = remove_left_behind(lock.path, left, new_run_id()); !removed)
            return std::unexpected(explain(lock, std::move(removed.error())));
        return printable(lock.path, 4096) + ": removed what run " + printable(left.run_id) + " had left behind\n" +
               open_pairs_text(left);
    }

  private:
    static bool lives(const LockView& lock) { return lock.state == LockState::held || lock.state == LockState::shared; }

    static std::unexpected<Error> refuse_live(const LockView& lock) {
        return refuse(Failure::busy, lock,
                      lock.text +
                          ": it is alive, and its lock is not taken away. To ask it to stop, and to wait until it has: " +
                          unlock_command_line(lock) + " --terminate");
    }

    Result<void> terminate(const LockView& lock, const LockRecord& left) const {
        const auto holder = HolderProcess::open(left);
        if (!holder) return refuse(holder.error().failure, lock, lock.text + ": " + holder.error().text);
        if (auto asked = holder->ask_to_stop(); !asked) return refuse(asked.error().failure, lock, asked.error().text);
        const std::string limit = arguments_.wait ? ", for " + describe_duration(*arguments_.wait) + " at most" : "";
        std::fprintf(stderr, "lockstep: %s: asked pid %d to stop; waiting until it has given the lock back%s: %s\n",
                     printable(lock.path, 4096).c_str(), static_cast<int>(holder->pid()), limit.c_str(),
                     describe_holder(left).c_str());
        if (holder->wait_for_end(arguments_.wait, mask_)) return {};
        const LockView now = look_at_lock(arguments_.lock);
        return refuse(Failure::busy, now,
                      "it is still " + now.text + ". It was asked to stop, and will" +
                          (now.is_stopped.value_or(false) ? " when it goes on" : "") + "; wait longer with --wait D");
    }

    /// A busy lock, told with what is in the way.
    static Error explain(const LockView& lock, Error error) {
        if (error.failure != Failure::busy) return error;
        const std::string how = lock.orphan_pid > 0 ? ": kill " + std::to_string(lock.orphan_pid) : "";
        return {Failure::busy,
                printable(lock.path, 4096) + ": not removed: " + error.text + ". Wait for it, or end it first" + how, 0};
    }

    const sigset_t mask_;
    const UnlockArguments& arguments_;
};

}  // namespace

int unlock_command(const InheritedSignals& inherited, const UnlockArguments& arguments) {
    const auto done = Unlocking(inherited, arguments).run();
    return done ? print_done(*done, 0) : report_error(done.error());
}

}  // namespace lockstep
