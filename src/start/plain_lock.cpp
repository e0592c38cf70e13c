#include "start/plain_lock.hpp"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "base/clock.hpp"
#include "lock/hand_over.hpp"
#include "lock/own_identity.hpp"

namespace lockstep::start {

bool PlainLock::take(const char* lock, const char* root, char** command, UniqueFd& spare) {
    if (!open_parent(lock, root)) return false;
    if (take_directory(spare) && write_record(command)) return true;
    undo();
    return false;
}

bool PlainLock::open_parent(const char* lock, const char* root) {
    const auto place = lock_place(lock, lock_root(root));
    if (!place) return false;
    texts_.variable.append("LOCKSTEP_LOCK=");
    const std::size_t path = texts_.variable.size();
    if (!append_parent(place->parent)) return false;
    texts_.name_at = texts_.variable.size();
    if (texts_.variable.c_str() == nullptr) return false;  // too long for here
    parent_ = open_lock_parent(texts_.variable.c_str() + path);
    texts_.variable.append(place->name).append(place->suffix);
    if (!parent_ || texts_.variable.c_str() == nullptr) return false;
    struct stat info;
    struct statfs system;
    return ::fstat(parent_.get(), &info) == 0 && !others_may_replace_in(info) && ::fstatfs(parent_.get(), &system) == 0 &&
           is_local_file_system(static_cast<long>(system.f_type));
}

/// With the '/' behind it.
bool PlainLock::append_parent(std::string_view parent) {
    if (!parent.starts_with('/')) {
        char here[512];
        if (::getcwd(here, sizeof here) == nullptr || here[0] != '/') return false;
        texts_.variable.append(here);
        if (parent == ".") parent = "";
        if (!parent.empty()) texts_.variable.append("/");
        if (std::string_view(here) == "/") return false;  // "//x": what that means is the program's business
    }
    append_lock_path(texts_.variable, parent, "");
    return true;
}

bool PlainLock::take_directory(UniqueFd& spare) {
    // One that is there already may be busy, left behind or somebody else's.
    if (::mkdirat(parent_.get(), texts_.name(), kOurMode) != 0) return false;
    DirectoryTry tried = try_directory(parent_.get(), texts_.name(), LockMode::exclusive);
    if (tried.end == DirectoryTry::End::cannot_open && tried.error != ENOENT) {
        undo_mkdir(parent_.get(), texts_.name(), spare);
    }
    if (tried.end != DirectoryTry::End::held) return false;
    directory_ = std::move(tried.directory);
    identity_ = tried.identity;
    const bool odd_mode = (identity_.st_mode & 0700) != 0700;
    return !odd_mode && !tried.had_readers;
}

/// The same values as those of DirectoryLock::acquire() and fill_in_self().
bool PlainLock::write_record(char** command) {
    record_ = create_record(directory_.get(), kRecordName);
    if (!record_) return false;
    const OwnIdentity self = own_identity(scope_.get());
    texts_.run_id = make_run_id();
    texts_.command = command_line(command);
    RecordFields fields;
    fields.run_id = texts_.run_id;
    fields.job = texts_.name();
    fields.guardian_pid = ::getpid();
    fields.guardian_start = self.ticks_since_boot;
    fields.front_pid = ::getppid();
    fields.front_start = self.ticks_since_boot;
    fields.boot_id = self.scope.boot_id;
    fields.pid_namespace = self.scope.pid_namespace;
    fields.host = self.host;
    fields.uid = self.uid;
    fields.since_ms = wall_now_ms();
    fields.command = texts_.command;
    append_record(texts_.record, fields);
    std::size_t length = 0;
    return lockstep::write_record(record_.get(), texts_.record, length) == 0;
}

void PlainLock::undo() {
    if (record_) ::unlinkat(directory_.get(), kRecordName, 0);
    if (directory_) give_up_directory(directory_.get(), parent_.get(), texts_.name(), identity_);
    record_.reset();
    directory_.reset();
    parent_.reset();
}

bool PlainLock::release() const {
    unmark_record(record_.get());
    if (is_writer_waiting(directory_.get())) return false;  // to whom it is passed on with its record
    ::unlinkat(directory_.get(), kRecordName, 0);
    return give_up_directory(directory_.get(), parent_.get(), texts_.name(), identity_) == 0;
}

}  // namespace lockstep::start
