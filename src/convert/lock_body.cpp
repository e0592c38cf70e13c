#include "convert/lock_body.hpp"

#include <algorithm>
#include <array>

#include "convert/simple_command.hpp"

namespace lockstep {

namespace {

using Tokens = std::span<const ShellToken>;

template <std::size_t N>
bool is_one_of(const ShellToken& token, const std::array<std::string_view, N>& words) {
    return std::ranges::find(words, token.text) != words.end();
}

/// Ends a list of commands that are joined by && and |.
bool ends_and_list(const ShellToken& op) {
    constexpr std::array<std::string_view, 5> kEnds = {"||", ";", ";;", "&", "\n"};
    return is_one_of(op, kEnds);
}

/// What this becomes may be another thing before the lock is taken than under it: $(…), a pattern. A plain variable's value may
/// not, and is perhaps known to the line's own shell only.
bool is_expanded_under_lock(const ShellToken& word) {
    return !word.value && (word.text.contains("$(") || word.text.find_first_of("`*?[") != std::string_view::npos);
}

}  // namespace

bool goes_on_without_lock(Tokens body) {
    constexpr std::array<std::string_view, 6> kOpens = {"{", "if", "for", "while", "until", "case"};
    constexpr std::array<std::string_view, 4> kCloses = {"}", "fi", "done", "esac"};
    constexpr std::array<std::string_view, 5> kBetween = {"then", "else", "elif", "do", "!"};
    int depth = 0;
    bool begins = true;  // the next word begins a command: only there it may be one of the shell's own
    for (const ShellToken& token : body) {
        if (token.kind == ShellToken::Kind::op) {
            depth += token.is_op("(") ? 1 : token.is_op(")") ? -1 : 0;
            if (depth <= 0 && ends_and_list(token)) return true;
            begins = true;
        } else if (token.kind == ShellToken::Kind::word && begins) {
            const bool opens = is_one_of(token, kOpens);
            depth += opens ? 1 : is_one_of(token, kCloses) ? -1 : 0;
            begins = (opens && token.text != "for" && token.text != "case") || is_one_of(token, kBetween);
        }
    }
    return false;
}

bool needs_shell(Tokens body) {
    constexpr std::array<std::string_view, 28> kOfTheShell = {".",     ":",      "cd",     "eval",  "exec",  "exit",   "export",
                                                              "local", "read",   "return", "set",   "shift", "source", "trap",
                                                              "type",  "ulimit", "umask",  "unset", "wait",  "if",     "for",
                                                              "while", "until",  "case",   "time",  "!",     "{",      "[["};
    const SimpleCommand command = simple_command_at(body, 0);
    if (command.last != body.size() || !command.redirects.empty() || command.words.empty()) return true;
    if (std::ranges::any_of(command.words, is_expanded_under_lock)) return true;
    const std::string_view first = command.words.front().text;
    const bool assigns = first.substr(0, first.find_first_of("'\"$")).contains('=');
    return assigns || is_one_of(command.words.front(), kOfTheShell);
}

}  // namespace lockstep
