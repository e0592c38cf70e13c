#include "journal/journal_reader.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/text.hpp"
#include "journal/open_database.hpp"
#include "journal/pair_table.hpp"
#include "journal/run_lock.hpp"
#include "journal/sqlite_schema.hpp"
#include "journal/write_ahead_log.hpp"

namespace lockstep {

struct JournalReader::Parts {
    SqliteDb db;
    std::optional<PairReader> pairs;  // its statements go before the connection
};

namespace {

/// From this version on all that is read or written here is there: such a journal is left as it stands, for a run of that
/// version, whose next pass would not open a newer one.
constexpr std::int64_t kReadable = 4;
/// From this version on a run says which pass it begins.
constexpr std::int64_t kRunsCountPasses = 7;

/// Unless a run is at work on it.
Result<void> bring_old_one_up_to_date(SqliteDb& db, std::int64_t version) {
    const auto run_lock = take_run_lock(db.path());
    if (run_lock) return bring_up_to_date(db, journal_migrations());
    return fail(
        Failure::journal,
        fmt::format("{}. The journal is of an older lockstep (schema version {}): use that one, or ask again when no run is at "
                    "work on it, so that it can be brought up to date",
                    run_lock.error().text, version));
}

Result<void> read_pass(const Statement& statement, std::vector<PassLine>& passes) {
    PassLine line;
    line.run_id = statement.text(0);
    line.command = statement.text(1);
    line.host = statement.text(2);
    line.pass = statement.integer(3);
    line.ended_ms = statement.integer(4);
    line.ended_because = statement.text(5);
    PassTotals& totals = line.totals;
    totals.begun_ms = statement.integer(6);
    totals.done = statement.integer(7);
    totals.failed = statement.integer(8);
    totals.parked = statement.integer(9);
    totals.left = statement.integer(10);
    totals.skipped = statement.integer(11);
    totals.open = statement.integer(12);
    totals.recovered = statement.integer(13);
    passes.push_back(std::move(line));
    return {};
}

/// Zero: there is none. What a run would not open is not read either, and least of all decided in: see open_own_file().
Result<off_t> journal_size(const std::string& path) {
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0) {
        if (errno == ENOENT) return 0;
        return os_error(Failure::journal, fmt::format("journal {}: looking at it", path), errno);
    }
    if (S_ISLNK(found.st_mode)) {
        return fail(Failure::journal,
                    fmt::format("journal {}: it is a symbolic link, which no run follows; move the file itself here", path));
    }
    if (!S_ISREG(found.st_mode)) return fail(Failure::journal, fmt::format("{} is not a regular file: move it away", path));
    return found.st_size;
}

}  // namespace

JournalReader::JournalReader(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
JournalReader::JournalReader(JournalReader&&) noexcept = default;
JournalReader& JournalReader::operator=(JournalReader&&) noexcept = default;
JournalReader::~JournalReader() = default;

Result<std::optional<JournalReader>> JournalReader::open(const SqliteJournalOptions& options) {
    const auto path = sqlite_journal_path(options);
    if (!path) return std::unexpected(path.error());
    const auto size = journal_size(*path);
    if (!size) return std::unexpected(size.error());
    // A run that is being started right now has made the file, but nothing in it yet: there is no journal to look into.
    if (*size == 0) return std::nullopt;
    const bool has_log = has_write_ahead_log(*path);
    auto db = SqliteDb::open(*path);
    if (!db) return std::unexpected(std::move(db.error()));
    const auto version = journal_version(*db, static_cast<std::int64_t>(journal_migrations().size()));
    if (!version) return std::unexpected(version.error());
    if (*version == 0) return std::nullopt;
    if (*version < kReadable) {
        if (auto newest = bring_old_one_up_to_date(*db, *version); !newest) return std::unexpected(std::move(newest.error()));
    }
    if (!has_log) remove_write_ahead_log_at_close(*db);  // who only looks leaves no files that were not there
    auto parts = std::make_unique<Parts>(Parts{std::move(*db), std::nullopt});
    auto pairs = PairReader::create(parts->db);
    if (!pairs) return std::unexpected(std::move(pairs.error()));
    parts->pairs = std::move(*pairs);
    return JournalReader(std::move(parts));
}

Result<bool> JournalReader::is_of_older_version() {
    const auto version = parts_->db.number("PRAGMA user_version", "reading its header");
    if (!version) return std::unexpected(version.error());
    return *version < static_cast<std::int64_t>(journal_migrations().size());
}

Result<void> JournalReader::check_whose_it_is(const std::string& job) { return lockstep::check_whose_it_is(parts_->db, job); }

Result<std::vector<Pair>> JournalReader::unfinished() { return parts_->pairs->unfinished(); }

Result<std::vector<UnfinishedPair>> JournalReader::unfinished_in_brief() { return parts_->pairs->unfinished_in_brief(); }

Result<std::vector<Pair>> JournalReader::failed(std::int64_t limit) { return parts_->pairs->failed(limit); }

Result<std::int64_t> JournalReader::failed_count() { return parts_->pairs->failed_count(); }

Result<std::vector<Pair>> JournalReader::pairs_of(const std::string& item_key) { return parts_->pairs->of_item(item_key); }

Result<std::vector<PassLine>> JournalReader::passes_where(std::string_view condition, std::int64_t limit) {
    auto statement = parts_->db.prepare(fmt::format(
        "SELECT passes.run_id, runs.command, runs.host, pass, ended_ms, ended_because, begun_ms, done, failed, parked, "
        "left_over, "
        "skipped, open, recovered FROM passes JOIN runs ON runs.run_id = passes.run_id {} ORDER BY passes.id DESC LIMIT ?1",
        condition));
    if (!statement) return std::unexpected(std::move(statement.error()));
    statement->bind(1, limit);
    std::vector<PassLine> passes;
    const auto read =
        parts_->db.for_each_row(*statement, "reading its passes", [&](const Statement& row) { return read_pass(row, passes); });
    if (!read) return std::unexpected(read.error());
    return passes;
}

Result<std::vector<PassLine>> JournalReader::passes(std::int64_t limit) { return passes_where("", limit); }

Result<std::vector<UnendedPass>> JournalReader::unended_passes(std::int64_t limit) {
    constexpr std::string_view kDoing = "reading its runs";
    const auto version = parts_->db.number("PRAGMA user_version", kDoing);
    if (!version) return std::unexpected(version.error());
    const bool numbered = *version >= kRunsCountPasses;
    auto statement = parts_->db.prepare(fmt::format(
        "SELECT runs.run_id, command, host, started_ms, {0} AS newest, {1} AS begun FROM runs LEFT JOIN "
        "(SELECT run_id, max(pass) AS ended FROM passes GROUP BY run_id) AS counted ON counted.run_id = runs.run_id "
        "WHERE ended IS NULL OR ended < newest ORDER BY begun DESC LIMIT ?1",
        numbered ? "newest_pass" : "1", numbered ? "newest_begun_ms" : "started_ms"));
    if (!statement) return std::unexpected(std::move(statement.error()));
    statement->bind(1, limit);
    std::vector<UnendedPass> passes;
    const auto read = parts_->db.for_each_row(*statement, kDoing, [&](const Statement& row) -> Result<void> {
        passes.push_back({row.text(0), row.text(1), row.text(2), row.integer(3), row.integer(4), row.integer(5)});
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return passes;
}

Result<std::optional<PassLine>> JournalReader::last_success() {
    auto passes = passes_where(
        fmt::format("WHERE failed = 0 AND parked = 0 AND open = 0 AND left_over = 0 AND ended_because = '{}'", kAllItemsDone),
        1);
    if (!passes) return std::unexpected(std::move(passes.error()));
    return passes->empty() ? std::nullopt : std::optional(std::move(passes->front()));
}

Result<std::vector<DecisionLine>> JournalReader::decisions_where(std::string_view condition, std::int64_t limit) {
    const auto columns = decision_columns(parts_->db);
    if (!columns) return std::unexpected(columns.error());
    auto statement = parts_->db.prepare(
        fmt::format("SELECT {}, applied_ms, outcome FROM decisions {} ORDER BY id DESC LIMIT ?1", *columns, condition));
    if (!statement) return std::unexpected(std::move(statement.error()));
    statement->bind(1, limit);
    std::vector<DecisionLine> lines;
    const auto read = parts_->db.for_each_row(*statement, "reading the decisions", [&](const Statement& row) -> Result<void> {
        auto decision = decision_row(parts_->db, row);
        if (!decision) return std::unexpected(std::move(decision.error()));
        lines.push_back({std::move(*decision), row.integer(kDecisionColumnCount), row.text(kDecisionColumnCount + 1)});
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return lines;
}

Result<std::vector<DecisionLine>> JournalReader::decisions(std::int64_t limit) { return decisions_where("", limit); }

Result<std::vector<DecisionLine>> JournalReader::waiting_decisions() {
    constexpr std::int64_t kAll = -1;
    return decisions_where("WHERE applied_ms IS NULL", kAll);
}

Result<NewestRun> JournalReader::newest_run() {
    constexpr std::string_view kDoing = "reading its newest run";
    auto statement = parts_->db.prepare("SELECT lock, expect_every_ms FROM runs ORDER BY started_ms DESC LIMIT 1");
    if (!statement) return std::unexpected(std::move(statement.error()));
    NewestRun run;
    const auto read = parts_->db.for_each_row(*statement, kDoing, [&](const Statement& row) -> Result<void> {
        run.lock = row.text(0);
        if (row.integer(1) > 0) run.expect_every = Millis{row.integer(1)};
        return {};
    });
    if (!read) return std::unexpected(read.error());
    return run;
}

Result<std::int64_t> JournalReader::done_count() {
    return parts_->db.number("SELECT count(*) FROM pairs WHERE state = 'done'", "counting what is done");
}

Result<void> JournalReader::decide(const std::vector<Decision>& decisions) {
    constexpr std::string_view kDoing = "writing a decision";
    auto& db = parts_->db;
    const bool redefine = std::ranges::any_of(decisions, [](const Decision& one) { return !one.definition.empty(); });
    const bool park = std::ranges::any_of(decisions, [](const Decision& one) { return one.verb == DecisionVerb::park; });
    const std::int64_t oldest = park ? kDecisionsPark : redefine ? kDecisionsRedefine : kReadable;
    auto version = db.number("PRAGMA user_version", kDoing);
    if (version && *version < oldest) {
        if (auto newest = bring_old_one_up_to_date(db, *version); !newest) return newest;
        version = db.number("PRAGMA user_version", kDoing);
    }
    if (!version) return std::unexpected(version.error());
    const bool sees = *version >= kDecisionsSaw;
    auto statement = db.prepare(fmt::format(
        "INSERT INTO decisions (item_key, step, verb, outputs, decided_by, decided_ms{}{}) VALUES (?1, ?2, ?3, ?4, ?5, ?6{}{})",
        redefine ? ", definition" : "", sees ? ", seen" : "", redefine ? ", ?7" : "", sees ? ", ?8" : ""));
    if (!statement) return std::unexpected(std::move(statement.error()));
    if (auto full = db.run("PRAGMA synchronous = FULL", "setting its durability"); !full) return full;
    // What is not committed is undone when the connection closes.
    if (auto begun = db.run("BEGIN IMMEDIATE", kDoing); !begun) return begun;
    for (const Decision& decision : decisions) {
        statement->bind(1, decision.item_key).bind(2, decision.step).bind(3, to_string(decision.verb));
        statement->bind(4, decision.outputs).bind(5, decision.by).bind(6, decision.decided_ms);
        if (redefine) statement->bind(7, decision.definition);
        if (sees) statement->bind(8, decision.seen);
        if (auto written = db.finish(*statement, kDoing); !written) return written;
    }
    return db.run("COMMIT", kDoing);
}

Result<std::vector<std::string>> jobs_with_journal(const std::string& state_directory) {
    auto directory = state_directory.empty() ? default_state_directory() : Result<std::string>(state_directory);
    if (!directory) return std::unexpected(directory.error());
    std::vector<std::string> jobs;
    std::error_code failed;
    for (auto entry = std::filesystem::directory_iterator(*directory, failed); !failed && entry != std::filesystem::end(entry);
         entry.increment(failed)) {
        const std::filesystem::path& path = entry->path();
        if (path.extension() == ".sqlite3" && is_name(path.stem().native())) jobs.push_back(path.stem().native());
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        return os_error(Failure::journal, fmt::format("reading directory {}", *directory), failed.value());
    std::ranges::sort(jobs);
    return jobs;
}

std::string never_ran(const SqliteJournalOptions& options) {
    const auto jobs = jobs_with_journal(options.state_directory).value_or(std::vector<std::string>());
    const std::vector<std::string_view> names(jobs.begin(), jobs.end());
    return "it never ran with this state directory" + did_you_mean(options.job, names);
}

}  // namespace lockstep
