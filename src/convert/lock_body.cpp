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

/// `${X:=5}`, `$((X += 1))`
bool may_assign(const ShellToken& token) {
    return !token.value && (token.text.contains("$((") || (token.text.contains("${") && token.text.contains('=')));
}

/// The words behind those of the shell that only say whether a command is done.
std::span<const ShellToken> done_by(const SimpleCommand& command) {
    std::span<const ShellToken> words = command.words;
    while (!words.empty() && (command_follows(words.front()) || closes_group(words.front()))) words = words.subspan(1);
    return words;
}

bool changes_nothing(const SimpleCommand& command) {
    constexpr std::array<std::string_view, 18> kHarmless = {":",      "[",     "cd",       "date",   "echo",   "exit",
                                                            "export", "false", "hostname", "logger", "mail",   "rm",
                                                            "sleep",  "test",  "touch",    "true",   "ulimit", "umask"};
    if (std::ranges::any_of(command.words, may_assign) || std::ranges::any_of(command.redirects, may_assign)) return false;
    const auto words = done_by(command);
    if (words.empty()) return true;
    const ShellToken& first = words.front();
    if (is_assignment(first)) return false;
    const bool has_options = words.size() > 1 && words[1].text.starts_with('-');
    if (first.text == "export" && has_options) return false;
    return is_one_of(first, kHarmless) || (first.value && first.value->contains('/'));
}

/// The text of the first command among `tokens` of which `is_sought(command, token behind it or nullptr)` holds.
template <typename Predicate>
std::optional<std::string_view> first_command(Tokens tokens, Predicate is_sought) {
    for (std::size_t at = 0; at < tokens.size();) {
        const SimpleCommand command = simple_command_at(tokens, at);
        const ShellToken* const next = command.last < tokens.size() ? &tokens[command.last] : nullptr;
        if (command.last > at && is_sought(command, next))
            return std::string_view(tokens[at].text.data(), tokens[command.last - 1].end() - tokens[at].begin);
        at = command.last + 1;
    }
    return std::nullopt;
}

/// `f() { …`: of the words that name no program but what is defined, `next` is the parenthesis.
bool defines_function(const SimpleCommand& command, const ShellToken* next) {
    return !command.words.empty() && next != nullptr && next->is_op("(");
}

/// What this becomes may be another thing before the lock is taken than under it: $(…), a pattern. A plain variable's value may
/// not, and is perhaps known to the line's own shell only.
bool is_expanded_under_lock(const ShellToken& word) {
    return !word.value && (word.text.contains("$(") || word.text.find_first_of("`*?[") != std::string_view::npos);
}

}  // namespace

bool goes_on_without_lock(Tokens body) {
    int depth = 0;
    bool begins = true;  // the next word begins a command: only there it may be one of the shell's own
    for (const ShellToken& token : body) {
        if (token.kind == ShellToken::Kind::op) {
            depth += token.is_op("(") ? 1 : token.is_op(")") ? -1 : 0;
            if (depth <= 0 && ends_and_list(token)) return true;
            begins = true;
        } else if (token.kind == ShellToken::Kind::word && begins) {
            depth += opens_group(token) ? 1 : closes_group(token) ? -1 : 0;
            begins = command_follows(token);
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
    return is_assignment(command.words.front()) || is_one_of(command.words.front(), kOfTheShell);
}

std::optional<std::string_view> kept_from_a_new_shell(Tokens before) {
    return first_command(before, [](const SimpleCommand& command, const ShellToken* next) {
        return defines_function(command, next) || (next != nullptr && next->is_op("&")) || !changes_nothing(command);
    });
}

std::optional<std::string_view> names_of_its_own(Tokens before) {
    constexpr std::array<std::string_view, 5> kGivesNames = {".", "source", "eval", "alias", "function"};
    return first_command(before, [&](const SimpleCommand& command, const ShellToken* next) {
        const auto words = done_by(command);
        return defines_function(command, next) || (!words.empty() && is_one_of(words.front(), kGivesNames));
    });
}

}  // namespace lockstep
