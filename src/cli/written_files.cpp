#include "cli/written_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/text.hpp"
#include "sys/unique_fd.hpp"
#include "sys/whole_file.hpp"

namespace lockstep {

namespace {

/// nullopt: there is none, or it is nothing that could be compared.
std::optional<std::string> contents(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    auto text = read_whole_file(path, Failure::os, path);
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

bool is_there(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0;
}

Result<void> write_whole(int fd, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return os_error(Failure::os, "writing " + printable(path, 4096));
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(fd) != 0) return os_error(Failure::os, "writing " + printable(path, 4096));
    return {};
}

/// @param force  false: link(2), which refuses where a file has come in the meantime
Result<void> write_file(const std::string& path, const std::string& text, bool force) {
    const std::string temporary = path + ".new." + std::to_string(::getpid());
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd) return os_error(Failure::os, "creating " + printable(path, 4096));
    auto done = write_whole(fd.get(), text, path);
    if (done && (force ? ::rename(temporary.c_str(), path.c_str()) : ::link(temporary.c_str(), path.c_str())) != 0)
        done = os_error(Failure::os, "writing " + printable(path, 4096));
    if (!force || !done) ::unlink(temporary.c_str());
    return done;
}

}  // namespace

Result<std::string> write_files(const std::string& directory, const std::vector<NewFile>& files, bool force) {
    const std::string prefix = directory + (directory.ends_with('/') ? "" : "/");
    std::string differing;
    for (const NewFile& file : files) {
        const std::string path = prefix + file.name;
        if (is_there(path) && contents(path) != file.text) differing += (differing.empty() ? "" : ", ") + printable(path, 4096);
    }
    if (!differing.empty() && !force) {
        return fail(Failure::usage, differing + ": there already, and different; nothing was written. --force replaces it");
    }
    std::string said;
    std::string so_far;
    for (const NewFile& file : files) {
        const std::string path = prefix + file.name;
        const std::string shown = printable(path, 4096);
        if (contents(path) == file.text) {
            said += "unchanged " + shown + "\n";
            continue;
        }
        if (auto written = write_file(path, file.text, force); !written) {
            if (!so_far.empty()) written.error().text += "; written before that: " + so_far;
            return std::unexpected(std::move(written.error()));
        }
        so_far += (so_far.empty() ? "" : ", ") + shown;
        said += "wrote " + shown + "\n";
    }
    return said;
}

}  // namespace lockstep
