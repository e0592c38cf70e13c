#include "report/status.hpp"

#include <algorithm>
#include <iterator>

#include "base/text.hpp"
#include "report/history.hpp"
#include "report/lock_report.hpp"
#include "report/pair_view.hpp"

namespace lockstep {

namespace {

Result<void> read_journal(JournalReader& reader, bool has_file, JobStatus& status) {
    if (!has_file) {
        const auto run = reader.newest_run();
        if (!run) return std::unexpected(run.error());
        status.expect_every = run->expect_every;
    }
    auto unfinished = reader.unfinished();
    if (!unfinished) return std::unexpected(unfinished.error());
    for (Pair& pair : *unfinished) {
        (pair.state == PairState::parked ? status.parked : status.open).push_back(std::move(pair));
    }
    auto failed = reader.failed(kFailedShown);
    if (!failed) return std::unexpected(failed.error());
    status.failed = std::move(*failed);
    const auto failed_count = reader.failed_count();
    if (!failed_count) return std::unexpected(failed_count.error());
    status.failed_count = *failed_count;
    auto success = reader.last_success();
    if (!success) return std::unexpected(success.error());
    status.last_success = std::move(*success);
    auto newest = reader.passes(1);
    if (!newest) return std::unexpected(newest.error());
    if (!newest->empty()) status.last_pass = std::move(newest->front());
    const auto done = reader.done_count();
    if (!done) return std::unexpected(done.error());
    status.done = *done;
    auto waiting = reader.waiting_decisions();
    if (!waiting) return std::unexpected(waiting.error());
    status.waiting = std::move(*waiting);
    return {};
}

const Decision* decision_about(const Pair& pair, const JobStatus& status) {
    const auto found = std::ranges::find_if(status.waiting, [&](const DecisionLine& line) {
        return line.decision.item_key == pair.item_key && line.decision.step == pair.step;
    });
    return found == status.waiting.end() ? nullptr : &found->decision;
}

std::string pairs_text(const std::vector<Pair>& pairs, std::int64_t count, const std::string& title, const JobStatus& status,
                       std::int64_t now_ms) {
    const PairOwner owner{status.job, status.state_directory, status.steps};
    if (pairs.empty()) return "";
    const auto shown = static_cast<std::int64_t>(pairs.size());
    std::string text = "  " + title + ": " + std::to_string(count) +
                       (shown < count ? "; the newest " + std::to_string(shown) : std::string()) + "\n";
    for (const Pair& pair : pairs) text += pair_text(pair, owner, now_ms, decision_about(pair, status));
    return text;
}

Json pairs_json(const std::vector<Pair>& pairs, std::int64_t now_ms) {
    Json array = Json::array();
    for (const Pair& pair : pairs) array.push(pair_json(pair, now_ms));
    return array;
}

}  // namespace

Expectation expectation_of(const JobStatus& status) {
    return {status.expect_every, status.last_success ? std::optional(status.last_success->ended_ms) : std::nullopt};
}

Result<JobStatus> job_status(const StatusQuery& query) {
    JobStatus status;
    status.job = query.job;
    status.state_directory = query.state_directory;
    status.lock = look_at_lock(query.lock);
    status.expect_every = query.expect_every;
    status.steps = query.steps;
    const SqliteJournalOptions options{query.state_directory, query.job};
    const auto path = sqlite_journal_path(options);
    if (!path) return std::unexpected(path.error());
    status.journal = *path;
    auto reader = JournalReader::open(options);
    if (!reader) return std::unexpected(reader.error());
    status.has_journal = reader->has_value();
    if (!*reader) return status;
    if (auto read = read_journal(**reader, query.has_file, status); !read) return std::unexpected(read.error());
    return status;
}

std::string status_text(const JobStatus& status, std::int64_t now_ms) {
    const std::string waiting = waiters_text(status.lock);
    std::string text = status.job + ": " + printable(status.lock.text, 2000) + (waiting.empty() ? "" : "; " + waiting) +
                       "\n  lock " + status.lock.path + "\n  journal " + status.journal + "\n";
    if (!status.has_journal) {
        return text + "  it has no journal there: " + never_ran({status.state_directory, status.job}) + "\n";
    }
    text += "  " + std::to_string(status.done) + (status.done == 1 ? " pair" : " pairs") +
            " done; last success: " + (status.last_success ? pass_text(*status.last_success) : "none yet") + "\n";
    const bool succeeded =
        status.last_pass && status.last_success && status.last_pass->ended_ms == status.last_success->ended_ms;
    if (status.last_pass && !succeeded) text += "  newest pass: " + pass_text(*status.last_pass) + "\n";
    if (status.expect_every) text += "  " + expectation_text(expectation_of(status), now_ms) + "\n";
    const bool held = status.lock.state == LockState::held;
    text += pairs_text(status.parked, std::ssize(status.parked), "parked, waiting for a person", status, now_ms);
    if (status.parked.size() > 1)
        text += "    all alike:     " + settle_all_alike({status.job, status.state_directory, {}}) + "\n";
    text += pairs_text(status.open, std::ssize(status.open),
                       held ? "open, in the hands of the run that holds the lock" : "open, settled first by the next pass",
                       status, now_ms);
    text += pairs_text(status.failed, status.failed_count, "failed, tried again by a pass that lists them", status, now_ms);
    if (!status.waiting.empty()) text += "  decided, applied at the next pass: " + std::to_string(status.waiting.size()) + "\n";
    for (const DecisionLine& line : status.waiting) text += "    " + decision_text(line) + "\n";
    if (status.parked.empty() && status.open.empty()) text += "  nothing is open, nothing is parked\n";
    return text;
}

Json status_json(const JobStatus& status, std::int64_t now_ms) {
    Json json = Json::object();
    json.set("job", Json::of_string(status.job));
    json.set("lock", lock_json(status.lock));
    json.set("journal", Json::of_string(status.journal));
    json.set("hasJournal", Json::of_boolean(status.has_journal));
    json.set("donePairs", Json::of_number(status.done));
    json.set("lastSuccess", status.last_success ? pass_json(*status.last_success) : Json());
    json.set("lastPass", status.last_pass ? pass_json(*status.last_pass) : Json());
    add_expectation(json, expectation_of(status), now_ms);
    json.set("parked", pairs_json(status.parked, now_ms));
    json.set("open", pairs_json(status.open, now_ms));
    json.set("failedPairs", Json::of_number(status.failed_count));
    json.set("failed", pairs_json(status.failed, now_ms));
    Json& waiting = json.set("decided", Json::array());
    for (const DecisionLine& line : status.waiting) waiting.push(decision_json(line));
    return json;
}

}  // namespace lockstep
