#include "lock/nested_use.hpp"

#include <fcntl.h>

#include <algorithm>
#include <optional>
#include <ranges>

#include "base/text.hpp"
#include "lock/orphaned_commands.hpp"
#include "lock/readers.hpp"
#include "lock/standpoint.hpp"

namespace lockstep {

namespace {

/// Not a dead run, which the next one takes over, unless its command still works.
bool is_at_work(const LockRecord& record, bool is_reader, int directory_fd) {
    const Standpoint here;
    if (!here.same_boot(record)) return false;
    // Its pid says nothing here; but we would not know its id if it had not started us.
    if (!here.same_pids(record) || here.lives(record)) return true;
    return (is_reader ? find_command_of_reader(directory_fd, record.run_id) : find_command_at_work(directory_fd)).pid > 0;
}

/// @param run  if it is one of those that hold the lock here
std::optional<LockRecord> holder_at_work(std::string_view run, int directory_fd) {
    const auto readers = read_readers(directory_fd);
    const auto reader = std::ranges::find(readers, run, &LockRecord::run_id);
    if (reader != readers.end()) return is_at_work(*reader, true, directory_fd) ? std::optional(*reader) : std::nullopt;
    auto record = read_lock_record(directory_fd);
    const bool holds = record && record->run_id == run && !record->passed_on && is_at_work(*record, false, directory_fd);
    return holds ? std::move(record) : std::nullopt;
}

}  // namespace

Result<void> refuse_nested_use(const LockPath& path, std::string_view runs) {
    if (runs.empty()) return {};
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const UniqueFd directory(::openat(path.parent_fd(), path.name().c_str(), kFlags));
    if (!directory) return {};
    for (const auto word : std::views::split(runs, ' ')) {
        const std::string_view id(word.begin(), word.end());
        const auto holder = id.empty() ? std::nullopt : holder_at_work(id, directory.get());
        if (!holder) continue;
        return fail(Failure::lock,
                    path.shown() + ": this runs under that very lock already, as part of run " + printable(id) + " (" +
                        describe_holder(*holder) +
                        "), and would wait for itself. Leave out the inner use of it, or give that another lock");
    }
    return {};
}

}  // namespace lockstep
