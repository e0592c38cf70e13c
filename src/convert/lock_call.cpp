#include "convert/lock_call.hpp"

#include <algorithm>
#include <array>

namespace lockstep {

namespace {

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_plain_name(std::string_view text) {
    return !text.empty() && text.front() != '-' && text.front() != '.' &&
           text.find_first_not_of(kNameCharacters) == std::string_view::npos;
}

std::string_view without_slashes_behind(std::string_view path) {
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    return path;
}

/// Nothing is lost when such a file is removed to make room for a directory.
bool looks_like_a_lock_file(std::string_view path) {
    constexpr std::array<std::string_view, 7> kPlaces = {"/tmp/",     "/var/lock/", "/run/lock/", "/var/run/",
                                                         "/var/tmp/", "/dev/shm/",  "/run/"};
    const std::string_view name = file_name(path);
    if (name.empty()) return false;
    const bool by_name = name.contains("lock") || name.contains("lck") || name.contains("LOCK") || name.ends_with(".pid");
    return by_name || std::ranges::any_of(kPlaces, [&](std::string_view place) { return path.starts_with(place); });
}

/// `/tmp/NAME.lock` is what a bare NAME means.
std::string name_or_path(const ShellToken& word) {
    std::string text(word.text);
    if (word.value) {
        std::string_view path = *word.value;
        if (path.starts_with("/tmp/") && path.ends_with(".lock")) {
            path = path.substr(5, path.size() - 10);
            if (is_plain_name(path)) return std::string(path);
        }
        if (!word.value->contains("/")) return "./" + text;
    }
    return text;
}

std::expected<void, std::string> check_known(const ShellToken& word) {
    const bool dynamic = word.text.contains("$(") || word.text.contains("`") || word.text.contains("$$");
    if (word.value ? !word.value->empty() : word.text.contains("/") && !dynamic) return {};
    return std::unexpected("what " + std::string(word.text) + " is cannot be told from the line");
}

}  // namespace

std::string name_after(std::string_view path) {
    std::string name;
    for (const char c : file_name(without_slashes_behind(path)))
        name += kNameCharacters.find(c) == std::string_view::npos ? '_' : c;
    name.erase(0, std::min(name.find_first_not_of(".-"), name.size()));
    return name.empty() ? "lock" : name;
}

std::expected<void, std::string> place_lock_file(LockCall& call, const ShellToken& file, std::span<const ShellToken> others) {
    if (auto known = check_known(file); !known) return known;
    const bool is_run =
        file.value && std::ranges::any_of(others, [&](const ShellToken& word) { return word.value == file.value; });
    if (file.value && (is_run || !looks_like_a_lock_file(*file.value))) {
        call.lock = name_after(*file.value);
        call.named_after = without_slashes_behind(*file.value);
        call.why_named = ", since " + std::string(file.text) +
                         " is more than a lock file; convert at the same time whatever else locks that";
        return {};
    }
    call.lock = name_or_path(file);
    call.notes.push_back("the lock is a directory, and " + std::string(file.text) +
                         " a plain file: remove it once (rm -f), and convert at the same time whatever else uses it");
    return {};
}

std::expected<void, std::string> place_lock_directory(LockCall& call, const ShellToken& directory) {
    if (auto known = check_known(directory); !known) return known;
    call.lock = name_or_path(directory);
    return {};
}

namespace {

std::string exec_options(const LockCall& call) {
    std::string text = "lockstep exec";
    if (call.shared) text += " --shared";
    if (call.wait_forever) text += " --wait forever";
    if (call.wait) text += " --wait " + format_duration(*call.wait);
    if (call.no_grace) text += " --grace 0";
    if (call.busy_status) text += " --busy-status " + std::to_string(*call.busy_status);
    if (call.verbose) text += " --verbose";
    if (call.quiet && !call.verbose) text += " --quiet";
    return text + " " + call.lock;
}

}  // namespace

std::string exec_prefix(const LockCall& call) {
    return exec_options(call) + " --" + (call.kept.empty() ? "" : " " + call.kept);
}

std::string exec_by_shell(const LockCall& call, const std::string& shell, const std::string& script) {
    const bool by_itself = shell == "sh" && call.kept.empty();
    return (by_itself ? exec_options(call) : exec_prefix(call) + " " + shell) + " -c " + script;
}

}  // namespace lockstep
