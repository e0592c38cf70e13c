#include "cli/resolve_command.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "cli/job_choice.hpp"
#include "cli/output.hpp"
#include "cli/resolve_choice.hpp"
#include "journal/apply_decisions.hpp"
#include "lock/directory_lock.hpp"
#include "run/run_options.hpp"

namespace lockstep {

namespace {

constexpr std::size_t kRefusalsShown = 10;

/// What is wrong, as far as a person would read it. @return the exit status
int report_refused(const ResolveChoice& choice) {
    const std::vector<Error>& refused = choice.refused;
    const std::size_t shown = std::min(refused.size(), kRefusalsShown);
    for (std::size_t i = 0; i < shown; ++i) report_error(refused[i]);
    // What makes no sense makes none later either; what is decided already may be tried again.
    const auto gravest = std::ranges::find_if(refused, [](const Error& one) { return one.failure != Failure::busy; });
    const Failure failure = gravest != refused.end() ? gravest->failure : Failure::busy;
    if (refused.size() + choice.decisions.size() == 1) return to_int(exit_status_of(failure));
    const std::string more = shown < refused.size() ? std::to_string(refused.size() - shown) + " more are like these; " : "";
    return report_error({failure, more + "nothing is recorded, of no item", 0});
}

/// Everything that waits, ours among it. Error: Failure::busy when a run holds the lock or the journal.
Result<std::vector<AppliedDecision>> apply_now(const ResolveArguments& arguments, const ChosenJob& job) {
    const SqliteJournalOptions options{arguments.job.state_directory, job.name};
    const auto path = LockPath::open(job.lock);
    if (!path) return std::unexpected(path.error());
    LockRecord mine;
    mine.run_id = new_run_id();
    mine.job = job.name;
    mine.journal = sqlite_journal_path(options).value_or("");
    mine.command = "lockstep resolve";
    auto lock = DirectoryLock::acquire(*path, mine, {});
    if (!lock) return std::unexpected(lock.error());
    auto journal = open_sqlite_journal(options);
    if (!journal) return std::unexpected(journal.error());
    auto applied = apply_decisions(**journal);
    if (auto closed = (*journal)->close(); applied && !closed) return std::unexpected(closed.error());
    if (auto released = lock->release(); applied && !released) return std::unexpected(released.error());
    return applied;
}

std::string what_follows(const AppliedDecision& decision) {
    switch (decision.state) {
        case PairState::pending: return "; the next pass begins it anew, under a new key";
        case PairState::first_not_applied:
            return decision.asked_for ? "; the next pass tries it again" : "; it is tried again when its item comes up again";
        case PairState::parked: return "; no pass tries it until it is decided";
        case PairState::compensated:
        case PairState::done: return "";
        default: return "; the next pass goes on with it";
    }
}

int report_outcome(const std::vector<AppliedDecision>& applied, const std::vector<Decision>& mine) {
    const bool several = mine.size() > 1;
    std::set<std::pair<std::string, std::string>> missing;
    for (const Decision& one : mine) missing.emplace(one.item_key, one.step);
    std::string text;
    int status = 0;
    for (const AppliedDecision& one : applied) {
        if (missing.erase({one.decision.item_key, one.decision.step}) == 0) continue;
        if (!one.applied) {
            status = report_error({Failure::usage, "the decision came too late: " + one.outcome, 0});
            continue;
        }
        text += several ? printable(one.decision.item_key) + ", " + one.decision.step + ": " : std::string("applied: ");
        text += one.outcome + what_follows(one) + "\n";
    }
    if (!missing.empty()) {
        text += several ? std::to_string(missing.size()) + " " : "";
        text += std::string("recorded; a run that came in between has applied ") + (several ? "them" : "it") +
                ": see lockstep history\n";
    }
    return print_done(text, status);
}

int report_nothing_to_decide(std::size_t decided_before) {
    const std::string before = decided_before > 0 ? " that is not decided already; the next pass applies that" : "";
    return print("nothing is parked" + before + "\n", 0);
}

/// Written down for whoever holds the lock next. Error: what the reader of the journal says.
Result<ResolveChoice> record(const ResolveArguments& arguments, const ChosenJob& job) {
    const SqliteJournalOptions options{arguments.job.state_directory, job.name};
    auto reader = JournalReader::open(options);
    if (!reader) return std::unexpected(std::move(reader.error()));
    if (!*reader) return fail(Failure::usage, job.name + " has no journal: " + never_ran(options));
    if (auto ours = (*reader)->check_whose_it_is(job.name); !ours) return std::unexpected(std::move(ours.error()));
    auto choice = choose_decisions(arguments, job.steps, **reader);
    if (!choice || !choice->refused.empty() || choice->decisions.empty()) return choice;
    if (auto written = (*reader)->decide(choice->decisions); !written) return std::unexpected(std::move(written.error()));
    const auto older = (*reader)->is_of_older_version();
    if (!older) return std::unexpected(older.error());
    choice->for_next_pass = *older;
    return choice;
}

}  // namespace

int resolve_command(const ResolveArguments& arguments) {
    const auto job = choose_job(arguments.job);
    if (!job) return job.error();
    if (arguments.redefine && !job->has_file)
        return report_error({Failure::usage, "--redefine takes what the job file says now: give its path as JOB", 0});
    const auto choice = record(arguments, *job);
    if (!choice) return report_error(choice.error());
    if (!choice->refused.empty()) return report_refused(*choice);
    if (choice->decisions.empty()) return report_nothing_to_decide(choice->decided_before);
    const bool several = choice->decisions.size() > 1;
    const std::string recorded = several ? std::to_string(choice->decisions.size()) + " recorded" : "recorded";
    const std::string them = several ? "them" : "it";
    if (choice->for_next_pass)
        return print_done(recorded + "; the next pass applies " + them + ": the journal is of an older lockstep\n", 0);
    const auto applied = apply_now(arguments, *job);
    if (applied) return report_outcome(*applied, choice->decisions);
    if (applied.error().failure == Failure::busy) {
        return print_done(
            recorded + "; the holder applies " + them + " at its next pass (" + printable(applied.error().text, 2000) + ")\n",
            0);
    }
    report_error(applied.error());
    return print_done(recorded + ", but not applied yet: the next pass does it\n", 0);
}

}  // namespace lockstep
