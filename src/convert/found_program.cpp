#include "convert/found_program.hpp"

#include <algorithm>
#include <array>

#include "convert/lock_call.hpp"

namespace lockstep {

namespace {

/// Programs and words of the shell that may stand before a command and do not change what it is.
constexpr std::array<std::string_view, 27> kBefore = {
    "{",    "then",    "do",     "else",   "if",          "while",   "until",   "!",       "elif",
    "exec", "command", "time",   "nice",   "ionice",      "chrt",    "taskset", "nohup",   "env",
    "sudo", "doas",    "setsid", "stdbuf", "systemd-cat", "chronic", "cronic",  "timeout", "softlimit"};

bool is_before(std::string_view name) { return std::ranges::find(kBefore, name) != kBefore.end(); }

/// "10", "30s": what timeout(1) and nice(1) are given.
bool is_amount(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789.smhd") == std::string_view::npos && text.front() <= '9';
}

/// -s KILL, -sKILL, --signal=KILL of timeout(1), without SIG.
void read_signal(std::span<const ShellToken> words, std::string& signal) {
    std::string_view text = words[0].text;
    const bool apart = text == "-s" || text == "--signal";
    if (apart && words.size() > 1) {
        text = words[1].text;
    } else if (text.starts_with("--signal=")) {
        text.remove_prefix(9);
    } else if (text.starts_with("-s")) {
        text.remove_prefix(2);
    } else {
        return;
    }
    if (text.starts_with("SIG")) text.remove_prefix(3);
    signal = text == "9" ? "KILL" : text == "2" ? "INT" : text == "15" ? "TERM" : text;
}

}  // namespace

std::string program_of(const ShellToken& word) { return word.value ? word.value->substr(word.value->rfind('/') + 1) : ""; }

FoundProgram find_program(std::span<const ShellToken> tokens, std::size_t first, std::size_t last) {
    constexpr std::string_view kWithValue = "ugncpoCTRDhks";  // -u USER of sudo, -n 10 of nice, …
    bool wrapped = false;
    bool value_follows = false;
    FoundProgram found;  // of assignments only: no program
    found.token = first;
    for (std::size_t i = first; i < last; ++i) {
        if (tokens[i].kind != ShellToken::Kind::word || is_assignment(tokens[i])) continue;
        found.token = i;
        found.program = program_of(tokens[i]);
        const std::string_view text = tokens[i].text;
        if (is_lock_program(found.program)) return found;
        if (is_before(found.program)) {
            wrapped = true;
            found.behind_timeout = found.behind_timeout || found.program == "timeout";
        } else if (wrapped && text.front() == '-') {
            if (found.behind_timeout) read_signal(tokens.subspan(i, last - i), found.timeout_signal);
            value_follows = text.size() == 2 && kWithValue.find(text[1]) != std::string_view::npos;
            continue;
        } else if (!wrapped || !(value_follows || is_amount(text))) {
            return found;
        }
        value_follows = false;
    }
    return found;
}

bool speaks_of_locks(std::string_view command) {
    constexpr std::array<std::string_view, 12> kWords = {"flock",       "lockfile",     "lockfile-create",  "setlock",
                                                         "run-one",     "run-this-one", "keep-one-running", "s6-setlock",
                                                         "dotlockfile", "lckdo",        "with-lock-ex",     "chpst -L"};
    return std::ranges::any_of(kWords, [&](std::string_view word) {
        for (std::size_t at = command.find(word); at != std::string_view::npos; at = command.find(word, at + 1)) {
            const auto is_part = [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
            };
            const bool begins = at == 0 || (!is_part(command[at - 1]) && command[at - 1] != '-');
            const std::size_t end = at + word.size();
            if (begins && (end == command.size() || command[end] == ' ' || command[end] == '\t')) return true;
        }
        return false;
    });
}

bool has_user_in_front(std::span<const ShellToken> tokens) {
    if (tokens.size() < 2 || tokens[0].kind != ShellToken::Kind::word || tokens[1].kind != ShellToken::Kind::word) return false;
    constexpr std::string_view kOfNames = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    return is_lock_program(program_of(tokens[1])) && tokens[0].text.find_first_not_of(kOfNames) == std::string_view::npos;
}

bool is_status_used(std::span<const ShellToken> tokens, std::size_t first, std::size_t last) {
    if (last < tokens.size() && !(last + 1 == tokens.size() && tokens[last].is_op(";"))) return true;
    for (std::size_t i = first; i < last; ++i) {
        const std::string program = program_of(tokens[i]);
        if (program == "chronic" || program == "cronic" || program == "!") return true;
    }
    return false;
}

bool sets_shell(std::span<const ShellToken> words) {
    constexpr std::array<std::string_view, 5> kOfUsers = {"sudo", "doas", "su", "runuser", "setpriv"};
    const bool by_env = std::ranges::any_of(words, [](const ShellToken& word) { return program_of(word) == "env"; });
    return std::ranges::any_of(words, [&](const ShellToken& word) {
        return word.text.starts_with("SHELL=") || (by_env && word.is_word("-i")) ||
               std::ranges::find(kOfUsers, program_of(word)) != kOfUsers.end();
    });
}

}  // namespace lockstep
