#include "convert/lock_call.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

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

/// As the shell makes it, or if that cannot be known, as it is written, without quotes.
std::string path_of(const ShellToken& word) {
    if (word.value) return *word.value;
    std::string text(word.text);
    std::erase_if(text, [](char c) { return c == '\'' || c == '"' || c == '\\'; });
    return text;
}

/// Nothing is lost when such a file is removed to make room for a directory: its name's last word, numbers apart, says that it
/// is a lock. A blocklist is none, nor lock.sh, nor the directory of locks.
bool is_named_a_lock(std::string_view path) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
    constexpr std::array<std::string_view, 3> kWords = {"lock", "lck", "lockfile"};
    if (path == "/var/lock" || path == "/run/lock") return false;
    const std::string name = lower_case(file_name(path));
    const std::size_t last = name.find_last_of(kLetters);
    if (last == std::string::npos) return false;
    const std::size_t before = name.find_last_not_of(kLetters, last);
    const std::size_t first = before == std::string::npos ? 0 : before + 1;
    return std::ranges::find(kWords, std::string_view(name).substr(first, last - first + 1)) != kWords.end();
}

/// Is a file of this name among the words, or in a script among them?
bool is_mentioned(std::string_view name, std::span<const ShellToken> words) {
    return std::ranges::any_of(words, [&](const ShellToken& word) {
        const std::string text = path_of(word);
        for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
            const std::size_t end = at + name.size();
            if (end == text.size() || kNameCharacters.find(text[end]) == std::string_view::npos) return true;
        }
        return false;
    });
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
    const std::string path = path_of(file);
    if (is_named_a_lock(path) && !is_mentioned(file_name(path), others)) return keep_lock_file(call, file);
    if (!file.value && file_name(path).find_first_of("$`*?[{") != std::string_view::npos)
        return std::unexpected("what " + std::string(file.text) + " is cannot be told from the line");
    call.lock = name_after(path);
    call.named_after = without_slashes_behind(path);
    call.why_named = ", since " + std::string(file.text) +
                     " may be more than a lock file; convert at the same time whatever else locks that";
    return {};
}

std::expected<void, std::string> keep_lock_file(LockCall& call, const ShellToken& file) {
    if (auto known = check_known(file); !known) return known;
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
    std::string text = call.program + " exec";
    if (call.shared) text += " --shared";
    if (call.wait != Millis{0}) text += " --wait " + (call.wait ? format_duration(*call.wait) : "forever");
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
