#include "cli/resolve_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "cli/job_choice.hpp"
#include "cli/output.hpp"
#include "journal/decide.hpp"
#include "journal/journal_reader.hpp"
#include "lock/directory_lock.hpp"
#include "run/run_options.hpp"
#include "sys/user_name.hpp"

namespace lockstep {

namespace {

/// The name that the uid has, and who he was before sudo(8).
std::string who() {
    std::string name = user_name(::getuid());
    const char* before = ::getenv("SUDO_USER");
    if (before != nullptr && *before != '\0' && name != before) name += " (" + printable(before, 60) + " by sudo)";
    return name;
}

/// A value that is JSON is taken as that, anything else as text: 5, "5", [1], r-17.
Json value_of(const std::string& text) {
    auto json = parse_json(text);
    return json ? std::move(*json) : Json::of_string(text);
}

Decision decision_of(const ResolveArguments& arguments, const Pair& pair) {
    Decision decision;
    decision.item_key = pair.item_key;
    decision.step = pair.step;
    decision.verb = arguments.verb;
    Json outputs = Json::object();
    for (const auto& [name, text] : arguments.outputs) outputs.set(name, value_of(text));
    decision.outputs = to_text(outputs);
    decision.by = who();
    decision.decided_ms = wall_now_ms();
    return decision;
}

std::unexpected<Error> unclear(const std::string& text) { return fail(Failure::usage, text); }

/// The pair that is meant: the named step's, else the one that is parked, else the only one.
Result<Pair> choose_pair(const std::vector<Pair>& pairs, const ResolveArguments& arguments) {
    const std::string& key = arguments.key;
    std::vector<Pair> meant;
    std::string steps;
    for (const Pair& pair : pairs) {
        steps += (steps.empty() ? "" : ", ") + pair.step + " (" + std::string(to_string(pair.state)) + ")";
        if (arguments.step.empty() || pair.step == arguments.step) meant.push_back(pair);
    }
    if (pairs.empty()) return unclear(key + ": no item with this key was ever begun; lockstep status shows what is parked");
    if (meant.empty()) return unclear(key + ": it has no step " + arguments.step + " in the journal, but " + steps);
    if (meant.size() == 1) return meant.front();
    const auto is_parked = [](const Pair& pair) { return pair.state == PairState::parked; };
    if (std::ranges::count_if(meant, is_parked) == 1) return *std::ranges::find_if(meant, is_parked);
    return unclear(key + ": which step? Give --step: " + steps);
}

/// A second decision about the same pair would come too late.
Result<void> check_not_decided(JournalReader& reader, const Pair& pair) {
    const auto lines = reader.waiting_decisions();
    if (!lines) return std::unexpected(lines.error());
    for (const DecisionLine& line : *lines) {
        const Decision& earlier = line.decision;
        if (earlier.item_key != pair.item_key || earlier.step != pair.step) continue;
        return fail(Failure::busy, printable(pair.item_key) + ", step " + pair.step + ": " + printable(earlier.by) +
                                       " decided it at " + format_local(earlier.decided_ms) + " (" +
                                       std::string(to_string(earlier.verb)) + "); the next pass applies that");
    }
    return {};
}

/// The journal keeps UTF-8 only. Of two values for one output nobody can tell which is meant.
Result<void> check_outputs(const ResolveArguments& arguments) {
    std::set<std::string_view> names;
    for (const auto& [name, text] : arguments.outputs) {
        if (!names.insert(name).second) return unclear("--output " + printable(name) + " is given twice");
        if (!is_utf8(text)) return unclear("--output " + printable(name + "=" + text) + ": the value is not UTF-8");
    }
    return {};
}

/// Checks the decision as if it were applied now, and writes it down.
Result<Decision> record(const ResolveArguments& arguments, const std::string& job) {
    if (auto sound = check_outputs(arguments); !sound) return std::unexpected(std::move(sound.error()));
    const SqliteJournalOptions options{arguments.job.state_directory, job};
    auto reader = JournalReader::open(options);
    if (!reader) return std::unexpected(reader.error());
    if (!*reader) return unclear(job + " has no journal: " + never_ran(options));
    const auto pairs = (*reader)->pairs_of(arguments.key);
    if (!pairs) return std::unexpected(pairs.error());
    const auto pair = choose_pair(*pairs, arguments);
    if (!pair) return std::unexpected(pair.error());
    if (auto free = check_not_decided(**reader, *pair); !free) return std::unexpected(free.error());
    Decision decision = decision_of(arguments, *pair);
    if (const auto next = decide(*pair, decision); !next) return std::unexpected(next.error());
    if (auto written = (*reader)->decide(decision); !written) return std::unexpected(written.error());
    return decision;
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
        case PairState::compensated:
        case PairState::done: return "";
        default: return "; the next pass goes on with it";
    }
}

int report_outcome(const std::vector<AppliedDecision>& applied, const Decision& mine) {
    for (const AppliedDecision& one : applied) {
        if (one.decision.item_key != mine.item_key || one.decision.step != mine.step) continue;
        if (one.applied) return print_done("applied: " + one.outcome + what_follows(one) + "\n", 0);
        return report_error({Failure::usage, "the decision came too late: " + one.outcome, 0});
    }
    return print_done("recorded; a run that came in between has applied it: see lockstep history\n", 0);
}

}  // namespace

int resolve_command(const ResolveArguments& arguments) {
    const auto job = choose_job(arguments.job);
    if (!job) return job.error();
    const auto decision = record(arguments, job->name);
    if (!decision) return report_error(decision.error());
    const auto applied = apply_now(arguments, *job);
    if (applied) return report_outcome(*applied, *decision);
    if (applied.error().failure == Failure::busy) {
        return print_done("recorded; the holder applies it at its next pass (" + printable(applied.error().text, 2000) + ")\n",
                          0);
    }
    report_error(applied.error());
    return print_done("recorded, but not applied yet: the next pass does it\n", 0);
}

}  // namespace lockstep
