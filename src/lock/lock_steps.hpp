#pragma once
// The steps of the lock protocol (directory_lock.cpp) as plain system calls: no allocation, no text, errno for what failed.
// They are compiled twice, for the program and for the room `start`, which runs before the C library does.

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lock/lock_mode.hpp"
#include "lock/record_text.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// 01000 (sticky) marks a directory as ours in the very system call that makes it.
inline constexpr mode_t kOurMode = 01700;

/// 04000 (set-user-ID, which means nothing for a directory) tells that readers have been in it, and may have left something.
inline constexpr mode_t kHadReaders = S_ISUID;

// ---- where a lock lies --------------------------------------------------------------------------------------------------

/// $LOCKSTEP_LOCK_ROOT, or /tmp if it is not set or empty.
std::string_view lock_root(const char* variable);

/// Views of the two arguments of lock_place(): the lock's directory is `parent`/`name``suffix`.
struct LockPlace {
    std::string_view parent;
    std::string_view name;
    std::string_view suffix;
};
/// A name without '/' means `<root>/<name>.lock`, anything else is a path. nullopt: no lock can be there, for the text is
/// empty, contains a NUL, or its last component is "." or "..".
std::optional<LockPlace> lock_place(std::string_view name_or_path, std::string_view root);

/// Its whole path.
template <class Text>
void append_lock_path(Text& out, std::string_view parent, std::string_view name) {
    if (parent != "/") out.append(parent);
    out.append("/");
    out.append(name);
}

/// Opens the parent (O_PATH: one that we may write but not read is good enough); errno if there is none.
UniqueFd open_lock_parent(const char* parent);

/// May its group or others remove or replace what we make in it? The sticky bit forbids them.
bool others_may_replace_in(const struct stat& parent);
/// By statfs(2): is flock(2) on a directory of this type to be trusted?
bool is_local_file_system(long f_type);

// ---- taking it ----------------------------------------------------------------------------------------------------------

/// What an open directory is, apart from its lock.
enum class DirectoryKind : std::uint8_t {
    ours,         ///< a lock
    another_uid,  ///< another user's
    foreign,      ///< no sticky bit: a plain mkdir lock
    for_others,   ///< a sticky directory that others may use: /tmp or its like
};
DirectoryKind kind_of_directory(const struct stat& info);

struct DirectoryTry {
    enum class End : std::uint8_t {
        held,          ///< flock is ours, on the inode that is now at the name
        writer_first,  ///< so it is, shared, but a writer waits
        retry,         ///< somebody removed the directory meanwhile
        busy,          ///< ours, but held by another; `directory` can be waited for
        not_ours,      ///< `kind` tells what it is
        cannot_open,   ///< `error`
        cannot_look,   ///< `error` of fstat
        cannot_lock,   ///< `error` of flock
    };
    End end = End::retry;
    DirectoryKind kind = DirectoryKind::ours;
    bool had_readers = false;
    int error = 0;
    UniqueFd directory;
    struct stat identity{};
};

/// openat, fstat, flock without waiting, fstatat: all of an attempt that comes after mkdirat.
DirectoryTry try_directory(int parent_fd, const char* name, LockMode mode);

/// There was a descriptor for mkdir's parent, but none for the directory that it made.
/// @param spare  one that may be closed for it
void undo_mkdir(int parent_fd, const char* name, UniqueFd& spare);

/// Is the directory with `identity`, which the caller holds open, still the one at the name? While it is open its inode
/// number cannot be given to another (ext4 reuses it at once after that).
///
/// @param mode  if given: its mode now
bool is_at(int parent_fd, const char* name, const struct stat& identity, mode_t* mode = nullptr);

// ---- what is written into it ----------------------------------------------------------------------------------------------

/// A record that was not there before; errno EEXIST: it was.
UniqueFd create_record(int directory_fd, const char* name);

/// Writes the record in place, in one call, and never shorter than before: no reader finds the file empty or the tail of an
/// older record, and on a full disk there is nothing to allocate. Who reads in the middle of it sees that by the check line.
///
/// @param text    is padded with newlines
/// @param length  of what was written last, 0 at first; becomes that of what is written now
/// @return        0 or an errno
int write_record(int record_fd, RecordText& text, std::size_t& length);

/// By whoever is to be a run's only command, and has inherited the record's descriptor: as long as it is at work the record is
/// under its flock, for an adopter to see, should the guardian be killed. No file is made for it, for that is what would cost.
/// @return 0 or an errno
int mark_record(int record_fd);
/// By the guardian, when the command has ended: what it may have left running keeps nothing.
void unmark_record(int record_fd);

/// The mark of one of several commands, under a shared flock, with the descriptor that the command inherits. On an error
/// (errno) none is there.
UniqueFd create_mark(int directory_fd, const char* name);
/// For an adopter, should we be killed: whose mark this is.
void write_mark_pid(int mark_fd, pid_t pid);

}  // namespace lockstep
