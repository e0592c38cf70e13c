#include "supervise/shell_front.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "supervise/shell_script.hpp"
#include "supervise/shlex.hpp"

namespace lockstep {

namespace {

using Words = std::span<const std::string>;

constexpr std::string_view kEnds = ": a stop ends it, and lockstep goes on unasked or is killed";

bool is_shell(const std::string& word) {
    constexpr std::string_view kShells[] = {"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"};
    return !word.contains('=') && std::ranges::find(kShells, base_name(word)) != std::end(kShells);
}

/// -c, -lc; not --norc
bool takes_script(const std::string& option) {
    return option.starts_with('-') && !option.starts_with("--") && option.ends_with('c');
}

/// Behind env(1), nice(1) and the like, which become what they are told to: from lockstep or the shell on.
Words past_wrappers(Words words) {
    constexpr std::string_view kWrappers[] = {"env", "nice", "ionice", "chrt", "taskset", "nohup", "stdbuf"};
    if (words.empty() || std::ranges::find(kWrappers, base_name(words.front())) == std::end(kWrappers)) return words;
    const auto program = std::ranges::find_if(
        words, [](const std::string& word) { return is_shell(word) || (!word.contains('=') && names_lockstep(word)); });
    return {program, words.end()};
}

/// Whether a command starts a run, itself or by the script of a shell; `lockstep check` before it is none.
bool starts_run(Words words) {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        const std::string& next = words[i + 1];
        if (names_lockstep(words[i]) && (next == "loop" || next == "run" || next.starts_with('$'))) return true;
        if (takes_script(words[i]) &&
            std::ranges::any_of(shell_commands(next), [](const ShellCommand& one) { return starts_run(one.words); }))
            return true;
    }
    return false;
}

/// `A 2>&1 | B` as `exec A > >(B) 2>&1`, which bash(1) understands; "" where more than simple commands are in the pipeline.
std::string without_pipeline(const std::vector<ShellCommand>& commands, std::size_t at, std::string_view script) {
    std::size_t first = at;
    while (first > 0 && commands[first].reads_pipe && commands[first - 1].feeds_pipe) --first;
    std::size_t last = at;
    while (last + 1 < commands.size() && commands[last].feeds_pipe && commands[last + 1].reads_pipe) ++last;
    if (commands[first].reads_pipe || commands[last].feeds_pipe || first == last) return "";
    const auto text = [&](std::size_t from, std::size_t to) {
        return std::string(script.substr(commands[from].begin, commands[to].end - commands[from].begin));
    };
    const ShellCommand& one = commands[at];
    return one.assignments + "exec" + one.program + (first < at ? " < <(" + text(first, at - 1) + ")" : "") +
           (at < last ? " > >(" + text(at + 1, last) + ")" : "") + one.redirections;
}

ShellInFront advice_for(const std::vector<ShellCommand>& commands, std::size_t at, std::string_view script, bool bash) {
    const ShellCommand& one = commands[at];
    const std::string plain = one.assignments + "exec" + one.program + one.redirections;
    if (!one.child) return {"the shell stays in front" + std::string(kEnds), plain};
    const std::string alone = without_pipeline(commands, at, script);
    if (alone.empty())
        return {"in ( ), a pipeline or the background the shell stays in front, exec or not" + std::string(kEnds), plain};
    return {"in a pipeline the shell stays in front, exec or not" + std::string(kEnds),
            bash ? alone : "bash -c " + shell_quoted(alone)};
}

std::optional<ShellInFront> in_front_by_script(const std::string& script, bool bash) {
    const std::vector<ShellCommand> commands = shell_commands(script);
    for (std::size_t at = 0; at < commands.size(); ++at) {
        const ShellCommand& one = commands[at];
        if (!starts_run(one.words)) continue;
        const bool by_itself = bash && commands.size() == 1 && one.redirections.empty();
        if (one.child || (!one.exec && !by_itself)) return advice_for(commands, at, script, bash);
        if (auto inner = shell_in_front(one.words)) return inner;
    }
    return std::nullopt;
}

bool script_becomes_lockstep(const std::string& script, bool bash) {
    if (in_front_by_script(script, bash)) return false;
    bool any = false;
    for (const ShellCommand& one : shell_commands(script)) {
        if (!starts_run(one.words)) continue;
        if (!becomes_lockstep(one.words)) return false;
        any = true;
    }
    return any;
}

}  // namespace

bool becomes_lockstep(Words words) {
    const Words from = past_wrappers(words);
    if (from.empty()) return false;
    if (names_lockstep(from.front())) return true;
    if (!is_shell(from.front())) return false;
    for (std::size_t i = 1; i + 1 < from.size(); ++i) {
        if (takes_script(from[i])) return script_becomes_lockstep(from[i + 1], base_name(from.front()) == "bash");
    }
    return false;
}

std::optional<ShellInFront> shell_in_front(Words words) {
    bool bash = false;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (is_shell(words[i])) bash = base_name(words[i]) == "bash";
        if (!takes_script(words[i])) continue;
        if (auto found = in_front_by_script(words[i + 1], bash)) return found;
    }
    return std::nullopt;
}

}  // namespace lockstep
