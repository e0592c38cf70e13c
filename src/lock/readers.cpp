#include "lock/readers.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <ranges>

#include "lock/hand_over.hpp"
#include "lock/lock_steps.hpp"
#include "lock/orphaned_commands.hpp"
#include "lock/standstill.hpp"

namespace lockstep {

std::string reader_name(std::string_view run_id) { return "r." + std::string(run_id); }

bool is_good_for_a_name(std::string_view run_id) {
    return !run_id.empty() && run_id.size() <= 64 && std::ranges::all_of(run_id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
    });
}

bool is_reader_name(std::string_view name) { return name.starts_with("r.") && is_good_for_a_name(name.substr(2)); }

std::vector<LockRecord> read_readers(int directory_fd) {
    std::vector<LockRecord> readers;
    const auto names = directory_entries(directory_fd);
    if (!names) return readers;
    for (const std::string& name : *names) {
        if (!is_reader_name(name)) continue;
        auto record = read_lock_record(directory_fd, name);
        if (!record) continue;
        record->run_id = name.substr(reader_name("").size());  // which the file may not tell yet, or not any more
        readers.push_back(std::move(*record));
    }
    std::ranges::stable_sort(readers, {}, &LockRecord::since_ms);
    return readers;
}

std::string describe_readers(const std::vector<LockRecord>& readers) {
    if (readers.empty()) return "";
    std::string first = describe_holder(readers.front());
    if (readers.size() == 1) return first;
    std::string text =
        first + " and " + std::to_string(readers.size() - 1) + (readers.size() == 2 ? " more reader" : " more readers");
    for (const LockRecord& reader : readers | std::views::drop(1)) {
        // Of these only what a person has to know.
        if (const std::string still = describe_standstill(reader); !still.empty()) return text + "; of one, " + still;
    }
    return text;
}

int give_up_share(int directory_fd, int parent_fd, const char* name, const struct stat& identity) {
    if (!is_at(parent_fd, name, identity)) return ENOENT;
    // The conversion drops our share first (flock(2)), so that of two who leave at once one gets it all. If it fails there is
    // another reader, or an exclusive holder by now: theirs to remove.
    if (::flock(directory_fd, LOCK_EX | LOCK_NB) != 0) return 0;
    // Readers that were killed; the command of one may still be at work, for which the directory stays.
    const auto orphan = clear_command_marks(directory_fd);
    if (!orphan || orphan->file) return 0;
    const int error = give_up_directory(directory_fd, parent_fd, name, identity);
    // An exclusive holder that came in the gap of the conversion, and was killed: the next run takes over from it.
    return error != 0 && ::faccessat(directory_fd, kRecordName, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : error;
}

}  // namespace lockstep
