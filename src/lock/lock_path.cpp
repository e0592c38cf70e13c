#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/text.hpp"
#include "lock/directory_lock.hpp"
#include "lock/lock_steps.hpp"

namespace lockstep {

namespace {

struct Place {
    std::string parent;
    std::string name;
};

Result<Place> split(const std::string& name_or_path) {
    if (name_or_path.empty()) return fail(Failure::usage, "the lock's name is empty: give a name or a path");
    if (name_or_path.find('\0') != std::string::npos) return fail(Failure::lock, "the lock's name contains a NUL character");
    const std::string root = default_lock_root();
    if (const auto place = lock_place(name_or_path, root)) {
        return Place{std::string(place->parent), std::string(place->name) + std::string(place->suffix)};
    }
    if (name_or_path.find('/') == std::string::npos) {
        return fail(Failure::lock, "\"" + name_or_path +
                                       "\" cannot be a lock: give a name or the path of a directory that does not exist yet");
    }
    return fail(Failure::lock,
                printable(name_or_path) + " cannot be a lock: its last part must be a name of its own, as in /tmp/NAME.lock");
}

std::string absolute(const Place& place) {
    std::string parent = place.parent;
    if (parent.front() != '/') {
        std::array<char, 4096> buffer{};
        const std::string here = ::getcwd(buffer.data(), buffer.size()) != nullptr ? buffer.data() : "(removed directory)";
        parent = parent == "." ? here : here + "/" + parent;
    }
    std::string text;
    append_lock_path(text, parent, place.name);
    return text;
}

/// @param elsewhere  "choose another place …", or ""
Result<void> check_parent(int fd, const std::string& parent, const std::string& text, const std::string& elsewhere) {
    struct stat info{};
    if (::fstat(fd, &info) != 0) return os_error(Failure::lock, text + ": looking at " + parent);
    const bool by_all = (info.st_mode & S_IWOTH) != 0;
    const bool by_group = (info.st_mode & S_IWGRP) != 0;
    if (others_may_replace_in(info)) {
        const std::string who = by_all ? "everybody" : "the group with gid " + std::to_string(info.st_gid);
        return fail(Failure::lock, text + ": " + who + " may write in " + parent +
                                       " and it has no sticky bit, so that others could remove or replace the lock. "
                                       "Set the bit (chmod +t)" +
                                       (elsewhere.empty() ? " or" : ",") + " forbid the writing (chmod " +
                                       (by_all && by_group ? "go-w"
                                        : by_all           ? "o-w"
                                                           : "g-w") +
                                       ")" + (elsewhere.empty() ? "" : ", or " + elsewhere));
    }
    struct statfs system{};
    if (::fstatfs(fd, &system) != 0) return os_error(Failure::lock, text + ": asking for the file system of " + parent);
    if (is_local_file_system(static_cast<long>(system.f_type))) return {};
    std::array<char, 24> type{};
    std::snprintf(type.data(), type.size(), "0x%lx", static_cast<unsigned long>(system.f_type) & 0xFFFFFFFFUL);
    return fail(Failure::lock,
                text + ": " + parent + " is not on a local file system that is known to lock directories (type " + type.data() +
                    "): a lock on a network file system can be held twice" + (elsewhere.empty() ? "" : "; " + elsewhere));
}

}  // namespace

std::string LockPath::shown() const { return printable(text_, 4096); }

std::string default_lock_root() { return std::string(lock_root(::getenv("LOCKSTEP_LOCK_ROOT"))); }

LockPath LockPath::of_parent(const std::string& name_or_path, UniqueFd parent) {
    LockPath path;
    path.parent_ = std::move(parent);
    if (const auto place = split(name_or_path)) {
        path.text_ = absolute(*place);
        path.name_ = place->name;
    }
    return path;
}

Result<LockPath> LockPath::open(const std::string& name_or_path, Use use) {
    auto place = split(name_or_path);
    if (!place) return std::unexpected(std::move(place.error()));
    LockPath path;
    const bool bare = name_or_path.find('/') == std::string::npos;
    path.ways_elsewhere_ = bare ? "with --lock PATH, or all locks with LOCKSTEP_LOCK_ROOT" : "with --lock";
    const std::string elsewhere = use == Use::take ? std::string("choose another place ") + path.ways_elsewhere_ : "";
    path.text_ = absolute(*place);
    path.name_ = std::move(place->name);
    const std::string shown = path.shown();
    const std::string parent = printable(place->parent, 4096);
    path.parent_ = open_lock_parent(place->parent.c_str());
    if (!path.parent_) {
        const int error = errno;
        const bool could_be_made = (error == ENOENT || error == ENOTDIR) && use == Use::take;
        const std::string hint = could_be_made ? ". Create it, or " + elsewhere : "";
        return fail(
            Failure::lock,
            shown + ": the directory " + parent + " that is to hold the lock cannot be opened: " + errno_text(error) + hint,
            error);
    }
    if (auto checked = check_parent(path.parent_.get(), parent, shown, elsewhere); !checked)
        return std::unexpected(std::move(checked.error()));
    return path;
}

}  // namespace lockstep
