#include "report/lock_report.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "journal/journal_reader.hpp"
#include "lock/standstill.hpp"
#include "sys/user_name.hpp"

namespace lockstep {

namespace {

constexpr std::size_t kColumns = 7;
constexpr std::size_t kLongestText = 2000;

/// A line of the table, and the lines that explain it.
struct Row {
    std::array<std::string, kColumns> cells;
    std::vector<std::string> notes;
};

/// Characters as a terminal counts them, near enough: UTF-8 without its continuation bytes.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

std::string cut(std::string text, std::size_t width) {
    if (width == 0 || width_of(text) <= width) return text;
    std::size_t end = 0;
    for (std::size_t seen = 0; end < text.size(); ++end) {
        if ((static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80 && ++seen == width) break;
    }
    return text.substr(0, end) + "…";
}

std::string this_host() {
    utsname names{};
    return ::uname(&names) == 0 ? names.nodename : "";
}

/// As sudo(8) takes it: a uid without a name has a '#' in front.
std::string sudo_name(uid_t uid) { return shell_quoted(user_name_of(uid).value_or("#" + std::to_string(uid))); }

std::string holder_cell(const LockView& lock) {
    if (lock.state == LockState::shared)
        return std::to_string(lock.readers.size()) + (lock.readers.size() == 1 ? " reader" : " readers");
    std::string text = lock.pid > 0 ? std::to_string(lock.pid) : "-";
    if (lock.record && !lock.record->host.empty() && lock.record->host != this_host())
        text += "@" + printable(lock.record->host, 60);
    return text;
}

/// The job is named only where the lock's own name does not say it.
std::string work_of(const LockRecord& record, const std::string& path) {
    const std::string_view file = std::string_view(path).substr(path.rfind('/') + 1);
    const bool said = record.job.empty() || file == record.job || file == record.job + ".lock";
    return (said ? "" : printable(record.job) + ": ") +
           printable(record.phase.empty() ? record.command : record.phase, kLongestText);
}

std::string work_cell(const LockView& lock) {
    switch (lock.state) {
        case LockState::foreign:
        case LockState::waiting: return lock.text;
        case LockState::shared: return "";
        default: return lock.record ? work_of(*lock.record, lock.path) : "";
    }
}

/// What does not fit into the table, and what to do about it.
std::vector<std::string> notes_on(const LockView& lock) {
    std::vector<std::string> notes;
    const bool tells_all = lock.state == LockState::held && lock.record && lock.pid == pid_to_show(*lock.record);
    const bool told_otherwise = tells_all || lock.state == LockState::foreign || lock.state == LockState::waiting;
    if (lock.state == LockState::left_behind) {
        notes.push_back("its run is dead; the next one takes it over" +
                        (lock.orphan.empty() ? "" : " when this ends: " + printable(lock.orphan, kLongestText)));
        notes.push_back(lock.orphan_pid > 0 ? "to remove it, end that first: kill " + std::to_string(lock.orphan_pid) +
                                                  "; then: " + unlock_command_line(lock)
                                            : "to remove it now: " + unlock_command_line(lock));
    } else if (!told_otherwise) {
        notes.push_back(printable(lock.text, kLongestText));
    }
    if (const std::string advice = removal_advice(lock); !advice.empty()) notes.push_back(advice);
    for (const LockRecord& reader : lock.readers) notes.push_back(describe_holder(reader));
    if (tells_all && lock.record->stopping_since_ms > 0) notes.push_back(describe_stop(*lock.record));
    if (const std::string still = tells_all ? describe_standstill(*lock.record) : ""; !still.empty()) notes.push_back(still);
    if (const std::string waiting = waiters_text(lock); !waiting.empty()) notes.push_back(waiting);
    return notes;
}

Row row_of(const LockView& lock) {
    const std::string name = lock_name(lock.path);
    const std::string state = lock.state == LockState::left_behind ? "left behind" : std::string(to_string(lock.state));
    const std::int64_t since = lock.record && lock.record->since_ms > 0 ? lock.record->since_ms : lock.changed_ms;
    const auto waiters = lock.waiters();
    return {{printable(name, kLongestText), state, holder_cell(lock),
             printable(user_name(lock.record ? lock.record->uid : lock.owner)), since > 0 ? format_local(since) : "-",
             waiters ? std::to_string(*waiters) : "-", work_cell(lock)},
            notes_on(lock)};
}

std::string line_of(const std::array<std::string, kColumns>& cells, const std::array<std::size_t, kColumns>& widths) {
    std::string line;
    for (std::size_t i = 0; i + 1 < kColumns; ++i) line += cells[i] + std::string(widths[i] - width_of(cells[i]) + 2, ' ');
    line += cells.back();
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

void add_once(std::vector<LockView>& locks, LockView view) {
    const bool known = std::ranges::find(locks, view.path, &LockView::path) != locks.end();
    if (!known && view.state != LockState::free) locks.push_back(std::move(view));
}

/// The locks of the jobs that have a journal here, wherever they lie.
void look_into_journals(const std::string& state_directory, FoundLocks& found) {
    const auto jobs = jobs_with_journal(state_directory);
    if (!jobs) return found.problems.push_back(jobs.error());
    for (const std::string& job : *jobs) {
        auto reader = JournalReader::open({state_directory, job});
        const auto run = reader && *reader ? (*reader)->newest_run() : Result<NewestRun>();
        if (!reader || !run) {
            found.problems.push_back(reader ? run.error() : reader.error());
        } else if (!run->lock.empty()) {
            add_once(found.locks, look_at_lock(run->lock));
        }
    }
}

Json readers_json(const std::vector<LockRecord>& readers) {
    Json array = Json::array();
    for (const LockRecord& reader : readers) {
        Json& json = array.push(Json::object());
        json.set("run", Json::of_string(reader.run_id));
        json.set("pid", Json::of_number(pid_to_show(reader)));
        json.set("host", Json::of_string(reader.host));
        json.set("since", Json::of_time(reader.since_ms));
        json.set("command", Json::of_string(reader.command));
    }
    return array;
}

}  // namespace

FoundLocks find_locks(const LockSearch& search) {
    FoundLocks found;
    for (const std::string& root : search.roots) {
        auto locks = look_at_locks_in(root);
        if (!locks) {
            found.problems.push_back(locks.error());
            continue;
        }
        for (LockView& lock : *locks) add_once(found.locks, std::move(lock));
    }
    for (const std::string& directory : search.state_directories) look_into_journals(directory, found);
    std::ranges::sort(found.locks, {}, &LockView::path);
    // No descriptors left: what is shown of it is no answer. Once is enough.
    const auto unseen = std::ranges::find_if(
        found.locks, [](const LockView& lock) { return lock.problem && lock.problem->failure == Failure::os; });
    if (unseen != found.locks.end()) found.problems.push_back(*unseen->problem);
    return found;
}

std::string locks_text(const std::vector<LockView>& locks, std::size_t width) {
    std::vector<Row> rows = {{{"LOCK", "STATE", "PID", "USER", "SINCE", "WAITING", "WHAT"}, {}}};
    for (const LockView& lock : locks) rows.push_back(row_of(lock));
    std::array<std::size_t, kColumns> widths{};
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], width_of(row.cells[i]));
    }
    std::string text;
    for (const Row& row : rows) {
        text += cut(line_of(row.cells, widths), width) + "\n";
        for (const std::string& note : row.notes) text += "  " + note + "\n";  // never cut: it may be a command
    }
    return text;
}

Json lock_json(const LockView& lock) {
    Json json = Json::object();
    const LockRecord none;
    const LockRecord& record = lock.record ? *lock.record : none;
    json.set("name", Json::of_string(lock_name(lock.path)));
    json.set("path", Json::of_string(lock.path));
    json.set("state", Json::of_string(std::string(to_string(lock.state))));
    json.set("text", Json::of_string(lock.text));
    json.set("run", Json::of_string(record.run_id));
    json.set("job", Json::of_string(record.job));
    json.set("pid", Json::of_number(lock.pid));
    json.set("guardianPid", Json::of_number(record.guardian_pid));
    json.set("host", Json::of_string(record.host));
    const bool has_owner = lock.state != LockState::free && (lock.record || lock.changed_ms > 0);
    json.set("user", has_owner ? Json::of_string(user_name(lock.record ? record.uid : lock.owner)) : Json());
    json.set("since", Json::of_time(record.since_ms > 0 ? record.since_ms : lock.changed_ms));
    json.set("phase", Json::of_string(record.phase));
    json.set("command", Json::of_string(record.command));
    json.set("stoppingSince", Json::of_time(record.stopping_since_ms));
    json.set("stoppingBy", Json::of_string(record.stopping_by));
    json.set("stopBy", Json::of_time(record.stop_by_ms));
    json.set("killAt", Json::of_time(record.kill_at_ms));
    json.set("journal", Json::of_string(record.journal));
    const auto waiters = lock.waiters();
    json.set("waiters", waiters ? Json::of_number(static_cast<std::int64_t>(*waiters)) : Json());
    Json& pids = json.set("waiterPids", Json::array());
    for (const pid_t pid : lock.kernel.waiters) pids.push(Json::of_number(pid));
    json.set("readers", readers_json(lock.readers));
    json.set("stopped", lock.is_stopped ? Json::of_boolean(*lock.is_stopped) : Json());
    return json;
}

std::string waiters_text(const LockView& lock) {
    const std::size_t count = lock.waiters().value_or(0);
    if (count == 0) return "";
    constexpr std::size_t kMost = 10;
    std::string pids;
    for (std::size_t i = 0; i < std::min(lock.kernel.waiters.size(), kMost); ++i)
        pids += (i == 0 ? ": pid " : ", ") + std::to_string(lock.kernel.waiters[i]);
    return std::to_string(count) + (count == 1 ? " waits" : " wait") + pids + (lock.kernel.waiters.size() > kMost ? ", …" : "");
}

std::string removal_advice(const LockView& lock) {
    if (lock.problem) return "";
    const bool empty = lock.strange_files.empty();
    const std::string rmdir =
        (empty ? "" : "move away what is in it (" + lock.strange_files + "), then ") + "rmdir " + shell_quoted_line(lock.path);
    if (lock.state == LockState::foreign)
        return "nothing tells whether its owner lives: when you are sure that it does not, " + rmdir;
    const bool without_record = lock.state == LockState::unknown && !lock.record && lock.readers.empty() && lock.changed_ms > 0;
    if (!without_record || lock.owner != ::geteuid()) return "";
    if (!empty) return "it keeps no run of lockstep out, but a script's mkdir: " + rmdir;
    // With a file in it only a run can remove it without harm.
    const std::string command =
        lock.has_empty_record ? "lockstep exec " + shell_quoted_line(lock_name(lock.path)) + " -- true" : rmdir;
    return "it keeps no run of lockstep out; " + command + " removes it without harm, even if a run takes it at that moment";
}

std::string unlock_command_line(const LockView& lock) {
    const std::string run = lock.record ? lock.record->run_id : lock.readers.empty() ? "ID" : lock.readers.front().run_id;
    const bool ours = lock.owner == ::geteuid();
    // sudo keeps no LOCKSTEP_LOCK_ROOT: there the path says it.
    const std::string name = ours ? lock_name(lock.path) : lock.path;
    return (ours ? "" : "sudo -u " + sudo_name(lock.owner) + " ") + "lockstep unlock " + shell_quoted_line(name) + " --run " +
           shell_quoted_line(run);
}

}  // namespace lockstep
