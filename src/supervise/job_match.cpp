#include "supervise/job_match.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "supervise/shell_script.hpp"
#include "supervise/shlex.hpp"

namespace lockstep {

namespace {

using Words = std::vector<std::string>;

std::optional<struct stat> file_at(const std::string& path, const std::string& directory) {
    if (path.empty() || (path.front() != '/' && directory.empty())) return std::nullopt;
    struct stat info{};
    const std::string whole = path.front() == '/' ? path : directory + "/" + path;
    return ::stat(whole.c_str(), &info) == 0 ? std::optional(info) : std::nullopt;
}

bool same_file(const std::string& path, const std::string& directory, const std::string& other) {
    const auto one = file_at(path, directory);
    struct stat two{};
    return one && ::stat(other.c_str(), &two) == 0 && one->st_dev == two.st_dev && one->st_ino == two.st_ino;
}

/// It holds what is expanded where it is run: $X, $(…), `…`, %h, %(ENV_X)s.
bool is_open(std::string_view word) {
    if (word.find_first_of("$`") != std::string_view::npos) return true;
    for (std::size_t at = word.find('%'); at != std::string_view::npos && at + 1 < word.size(); at = word.find('%', at + 1)) {
        if (word[at + 1] == '(' || std::isalpha(static_cast<unsigned char>(word[at + 1])) != 0) return true;
    }
    return false;
}

std::string directory_after_cd(const std::string& from, const std::string& word) {
    if (is_open(word)) return "";
    if (word.starts_with('/')) return word;
    return from.empty() ? "" : from + "/" + word;
}

/// The script of a shell: sh -c 'cd /srv && exec lockstep loop a.json'. Its commands' words in one row; none if it is one word.
Words words_of_script(const std::string& word) {
    Words words;
    if (word.find(' ') == std::string::npos) return words;
    for (const ShellCommand& one : shell_commands(word)) words.insert(words.end(), one.words.begin(), one.words.end());
    if (words.size() < 2) words.clear();
    return words;
}

/// Behind `lockstep`: run, loop, or what is expanded to one perhaps.
bool is_run(const std::string& word) { return word == "run" || word == "loop" || is_open(word); }

/// Of what stands behind `lockstep run`: a file that is there decides it, whatever else cannot be told.
std::string untold_among(const Words& words, std::size_t from, const std::string& here) {
    std::string untold;
    for (std::size_t i = from; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (const auto file = file_at(word, here); file && S_ISREG(file->st_mode)) return "";
        if (!untold.empty() || word.starts_with('-')) continue;
        if (is_open(word)) untold = "what " + word + " is";
        if (here.empty() && !word.starts_with('/') && word.ends_with(".json")) untold = "where " + word + " lies";
    }
    return untold;
}

}  // namespace

bool runs_job(const Words& words, const std::string& directory, const std::string& job_file) {
    bool program = false;
    std::string here = directory;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (names_lockstep(word) && i + 1 < words.size()) program = program || is_run(words[i + 1]);
        if (program && same_file(word, here, job_file)) return true;
        if (!program && word == "cd" && i + 1 < words.size()) here = directory_after_cd(here, words[i + 1]);
        const Words inner = words_of_script(word);
        if (!inner.empty() && runs_job(inner, here, job_file)) return true;
    }
    return false;
}

bool runs_once(const Words& words) {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (names_lockstep(words[i]) && words[i + 1] == "run") return true;
        if (const Words inner = words_of_script(words[i + 1]); !inner.empty() && runs_once(inner)) return true;
    }
    return false;
}

std::string untold_job(const Words& words, const std::string& directory) {
    std::string here = directory;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        const std::string& next = words[i + 1];
        if (words[i] == "cd") here = directory_after_cd(here, next);
        if (names_lockstep(words[i]) && is_run(next)) return untold_among(words, is_open(next) ? i + 1 : i + 2, here);
        const Words inner = words_of_script(next);
        if (const std::string found = untold_job(inner, here); !found.empty()) return found;
    }
    return "";
}

}  // namespace lockstep
