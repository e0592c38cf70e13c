#include "lock/nested_use.hpp"

#include <fcntl.h>

#include <algorithm>
#include <ranges>

#include "base/text.hpp"
#include "lock/orphaned_commands.hpp"
#include "lock/own_identity.hpp"
#include "lock/readers.hpp"

namespace lockstep {

namespace {

/// Not that of a dead run, which the next one takes over.
bool is_at_work(const LockRecord& record, int directory_fd) {
    const OwnIdentity self = own_identity();
    if (record.boot_id != self.scope.boot_id.view()) return false;
    // Its pid says nothing here; but we would not know its id if it had not started us.
    if (record.pid_namespace != self.scope.pid_namespace) return true;
    return is_same_process(record.guardian_pid, record.guardian_start) || find_command_at_work(directory_fd).pid > 0;
}

}  // namespace

Result<void> refuse_nested_use(const LockPath& path, std::string_view runs) {
    if (runs.empty()) return {};
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const UniqueFd directory(::openat(path.parent_fd(), path.name().c_str(), kFlags));
    if (!directory) return {};
    auto holders = read_readers(directory.get());
    if (auto record = read_lock_record(directory.get()); record && !record->passed_on) holders.push_back(std::move(*record));
    for (const auto word : std::views::split(runs, ' ')) {
        const std::string_view id(word.begin(), word.end());
        const auto holder = std::ranges::find(holders, id, &LockRecord::run_id);
        if (id.empty() || holder == holders.end() || !is_at_work(*holder, directory.get())) continue;
        return fail(Failure::lock,
                    path.shown() + ": this runs under that very lock already, as part of run " + printable(id) + " (" +
                        describe_holder(*holder) +
                        "), and would wait for itself. Leave out the inner use of it, or give that another lock");
    }
    return {};
}

}  // namespace lockstep
