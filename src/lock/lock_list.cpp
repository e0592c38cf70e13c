// Which directories below a root are locks.

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "lock/directory_lock.hpp"
#include "lock/lock_view.hpp"

namespace lockstep {

namespace {

constexpr std::string_view kSuffix = ".lock";

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

/// The sticky bit without rights for others marks one of ours (a private directory of another program has no such bit, and
/// /tmp and its like are for everybody). A plain directory says by its name that it is meant as a lock.
bool looks_like_a_lock(std::string_view name, const struct stat& info) {
    if (!S_ISDIR(info.st_mode)) return false;
    const bool ours = (info.st_mode & S_ISVTX) != 0 && (info.st_mode & 0077) == 0;
    const bool foreign = (info.st_mode & S_ISVTX) == 0 && name.size() > kSuffix.size() && name.ends_with(kSuffix);
    return ours || foreign;
}

Result<std::vector<std::string>> names_of_locks(const std::string& root) {
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(root.c_str()));
    if (!directory) return os_error(Failure::lock, "looking for locks in " + root);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        struct stat info{};
        const bool may_be = (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) && name != "." && name != "..";
        if (may_be && ::fstatat(::dirfd(directory.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            looks_like_a_lock(name, info))
            names.emplace_back(name);
        errno = 0;
    }
    if (errno != 0) return os_error(Failure::lock, "looking for locks in " + root);
    std::ranges::sort(names);
    return names;
}

}  // namespace

Result<std::vector<LockView>> look_at_locks_in(const std::string& root) {
    auto names = names_of_locks(root);
    if (!names) return std::unexpected(std::move(names.error()));
    const KernelLockTable table;
    std::vector<LockView> locks;
    for (const std::string& name : *names) {
        LockView view = look_at_lock((root.ends_with('/') ? root : root + "/") + name, table);
        if (view.state != LockState::free) locks.push_back(std::move(view));
    }
    return locks;
}

std::string lock_name(const std::string& path) {
    const std::string root = default_lock_root() + "/";
    if (!path.starts_with(root) || !path.ends_with(kSuffix)) return path;
    const std::string name = path.substr(root.size(), path.size() - root.size() - kSuffix.size());
    const bool is_one = !name.empty() && name.find('/') == std::string::npos && name != "." && name != ".." && name[0] != '-';
    return is_one ? name : path;
}

}  // namespace lockstep
