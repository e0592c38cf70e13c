#include "supervise/stop_route.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "supervise/front_words.hpp"
#include "supervise/shell_script.hpp"
#include "supervise/shlex.hpp"

namespace lockstep {

namespace {

using Words = std::vector<std::string>;

constexpr std::string_view kEnds = ": a stop ends it, and lockstep goes on unasked or is killed";

StopRoute route_of(const Words& words);

Words joined(Words first, const Words& then) {
    first.insert(first.end(), then.begin(), then.end());
    return first;
}

Words first_words(const Words& words, std::size_t count) {
    return {words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count)};
}

/// What the command should be where all that stands in front of it may stay.
Words mended(const StopRoute& route, const Words& words) { return route.write.empty() ? words : route.write; }

/// The words with a blank between; nothing where single quotes would keep the shell from expanding something.
std::string shell_line(const Words& words) {
    std::string line;
    for (const std::string& word : words) {
        if (word.find_first_of("$`") != std::string::npos) return "";
        line += " " + shell_quoted(word);
    }
    return line;
}

StopRoute lost(std::string why, Words write) {
    StopRoute route;
    route.end = StopRoute::End::lost;
    route.why = std::move(why);
    route.write = std::move(write);
    return route;
}

StopRoute untold(const std::string& front, Words write) {
    StopRoute route =
        lost("whether " + front + ", which stands in front, hands a stop on and waits cannot be told", std::move(write));
    route.end = StopRoute::End::unknown;
    return route;
}

StopRoute arrived() {
    StopRoute route;
    route.direct = true;
    return route;
}

/// The same behind words that may stay.
StopRoute behind(const Words& front, StopRoute route, bool direct) {
    if (!route.write.empty()) route.write = joined(front, route.write);
    if (route.kill && !route.kill->write.empty()) route.kill->write = joined(front, route.kill->write);
    route.direct = route.direct && direct;
    return route;
}

// ---- shells ----------------------------------------------------------------------------------------------------------------

struct Script {
    const std::string& text;
    std::vector<ShellCommand> commands;
    std::string shell;
    bool bash;
};

/// `sh -c` of the script with one part of it replaced.
Words with_part(const Script& script, std::size_t begin, std::size_t end, const std::string& part, bool by_bash = false) {
    const std::string shell = !by_bash || script.bash                       ? script.shell
                              : script.shell.find('/') == std::string::npos ? "bash"
                                                                            : "/bin/bash";
    return {shell, "-c", script.text.substr(0, begin) + part + script.text.substr(end)};
}

/// `A 2>&1 | B` as `exec A > >(B) 2>&1`, which bash(1) understands; none where more than simple commands are in the pipeline.
Words without_pipeline(const Script& script, std::size_t at) {
    const auto& commands = script.commands;
    std::size_t first = at;
    while (first > 0 && commands[first].reads_pipe && commands[first - 1].feeds_pipe) --first;
    std::size_t last = at;
    while (last + 1 < commands.size() && commands[last].feeds_pipe && commands[last + 1].reads_pipe) ++last;
    if (commands[first].reads_pipe || commands[last].feeds_pipe || first == last) return {};
    const auto text = [&](std::size_t from, std::size_t to) {
        return script.text.substr(commands[from].begin, commands[to].end - commands[from].begin);
    };
    const ShellCommand& one = commands[at];
    return with_part(script, commands[first].begin, commands[last].end,
                     one.assignments + "exec" + one.program + (first < at ? " < <(" + text(first, at - 1) + ")" : "") +
                         (at < last ? " > >(" + text(at + 1, last) + ")" : "") + one.redirections,
                     true);
}

StopRoute shell_stays(const Script& script, std::size_t at) {
    const ShellCommand& one = script.commands[at];
    StopRoute route = lost("the shell stays in front" + std::string(kEnds), {});
    route.piece = one.assignments + "exec" + one.program + one.redirections;
    if (!one.child) {
        route.write = with_part(script, one.begin, one.end, route.piece);
        return route;
    }
    route.write = without_pipeline(script, at);
    route.why = (route.write.empty() ? "in ( ), a pipeline or the background the shell stays in front, exec or not"
                                     : "in a pipeline the shell stays in front, exec or not") +
                std::string(kEnds) +
                (route.write.empty() ? "; outside of those its script should say what is to be written" : "");
    return route;
}

/// What the script's command meets, where the shell has made room for it. What would have to be quoted once more and holds
/// what the shell expands is told as a piece.
StopRoute behind_exec(const Script& script, const ShellCommand& one) {
    StopRoute route = route_of(one.words);
    const auto whole = [&](Words& write) {
        const std::string line = shell_line(write);
        if (write.empty()) return;
        if (line.empty()) {
            route.piece = "exec";
            for (const std::string& word : write) route.piece += " " + word;
        }
        write =
            line.empty() ? Words{} : with_part(script, one.begin, one.end, one.assignments + "exec" + line + one.redirections);
    };
    whole(route.write);
    if (route.kill) whole(route.kill->write);
    return route;
}

StopRoute through_script(const std::string& shell, const std::string& text) {
    const Script script{text, shell_commands(text), shell, base_name(shell) == "bash"};
    std::optional<StopRoute> found;
    for (std::size_t at = 0; at < script.commands.size(); ++at) {
        const ShellCommand& one = script.commands[at];
        if (!starts_run(one.words)) continue;
        const bool by_itself = script.bash && script.commands.size() == 1 && one.redirections.empty();
        if (one.child || (!one.exec && !by_itself)) return shell_stays(script, at);
        StopRoute route = behind_exec(script, one);
        if (route.end != StopRoute::End::arrives) return route;
        if (!found || !route.direct) found = std::move(route);
    }
    return found.value_or(StopRoute{});
}

/// A script that starts no run by itself, and is given the words that do: `sh -c 'exec "$@"' sh lockstep loop a.json`.
StopRoute through_words_of_script(const Words& words, std::size_t name_at, const std::string& text) {
    // What stands before, and the script's own name, is no program that is run.
    CommandBehind command =
        command_behind({words.begin() + static_cast<std::ptrdiff_t>(std::min(name_at, words.size())), words.end()});
    if (command.words.empty()) return {};
    command.at += name_at;
    const bool hands_on = std::ranges::any_of(shell_commands(text), [](const ShellCommand& one) {
        return one.exec && !one.child && !one.words.empty() && (one.words[0] == "$@" || one.words[0] == "$*");
    });
    if (hands_on) return behind(first_words(words, command.at), route_of(command.words), true);
    return untold(std::string(base_name(words[0])) + " with its script", command.words);
}

StopRoute through_shell(const Words& words) {
    for (std::size_t i = 1; i + 1 < words.size(); ++i) {
        if (!takes_script(words[i])) continue;
        if (!starts_run({words[i], words[i + 1]})) return through_words_of_script(words, i + 2, words[i + 1]);
        StopRoute route = through_script(words[0], words[i + 1]);
        // Its own options, and what stands behind the script.
        const auto whole = [&](Words& write) {
            if (write.empty()) return;
            const Words options = first_words(words, i + 1);
            Words full = joined({write[0]}, Words(options.begin() + 1, options.end()));
            full.push_back(write[2]);
            write = joined(full, Words(words.begin() + static_cast<std::ptrdiff_t>(i) + 2, words.end()));
        };
        whole(route.write);
        if (route.kill) whole(route.kill->write);
        return route;
    }
    return through_words_of_script(words, 1, "");
}

// ---- programs --------------------------------------------------------------------------------------------------------------

StopRoute through_exec(const Words& words) {
    const ExecInFront exec = exec_in_front(words);
    if (!starts_run(exec.command.words)) return {};
    const StopRoute inner = route_of(exec.command.words);
    const Words at_once =
        joined(joined(exec.at_once, exec.command.script ? Words{"--"} : Words{}), mended(inner, exec.command.words));
    if (inner.end != StopRoute::End::arrives || exec.grace) {
        // A script becomes a command of its own, which says the same.
        const bool kept = !exec.command.script;
        StopRoute route = behind(kept ? first_words(words, exec.command.at) : exec.at_once, inner, false);
        if (!kept && !route.write.empty()) route.write = at_once;
        route.delay += exec.grace.value_or(Millis{0});
        return route;
    }
    return lost("lockstep exec --grace forever stands in front, and never tells its command of a stop", at_once);
}

StopRoute through_timeout(const Words& words, const CommandBehind& command) {
    const TimeoutInFront timeout = timeout_in_front(words, command.at);
    StopRoute route = behind(first_words(words, command.at), route_of(command.words), false);
    if (!timeout.kill_after || route.end != StopRoute::End::arrives) return route;
    const StopRoute::Kill own{
        timeout.option + " stands in front: it sends SIGKILL " + format_duration(*timeout.kill_after) + " after a stop",
        *timeout.kill_after,
        route.delay,
        joined(timeout.patient, command.words),
        {}};
    if (!route.kill || own.after < route.kill->after) route.kill = own;
    return route;
}

StopRoute through_program(const Words& words, FrontKind kind) {
    const CommandBehind command = command_behind(words);
    if (command.words.empty()) return {};
    const std::string name(base_name(words[0]));
    const Words front = first_words(words, command.at);
    const bool gives_way = name == "flock" && std::ranges::any_of(front, [](const std::string& word) {
                               return word == "-F" || word == "--no-fork";
                           });
    if (kind == FrontKind::becomes || gives_way) return behind(front, route_of(command.words), true);
    if (kind == FrontKind::passes) return behind(front, route_of(command.words), false);
    if (kind == FrontKind::timeout) return through_timeout(words, command);
    StopRoute inner = route_of(command.words);
    const Words without = mended(inner, command.words);
    if (kind == FrontKind::changes_user && inner.end == StopRoute::End::arrives) {
        constexpr Millis kPatience{2000};
        inner.kill = StopRoute::Kill{name + " stands in front: it sends SIGKILL 2s after a stop", kPatience, inner.delay,
                                     without, user_in_front(words)};
        inner.direct = false;
        return inner;
    }
    StopRoute route = lost(name + " stays in front" + std::string(kEnds), without);
    if (kind == FrontKind::changes_user) route.user = user_in_front(words);
    return kind == FrontKind::unknown ? untold(name, without) : route;
}

StopRoute route_of(const Words& words) {
    if (words.empty()) return {};
    const FrontKind kind = front_kind(words[0]);
    if (kind == FrontKind::lockstep) {
        if (words.size() > 1 && words[1] == "exec") return through_exec(words);
        return arrived();
    }
    return kind == FrontKind::shell ? through_shell(words) : through_program(words, kind);
}

}  // namespace

StopRoute stop_route(std::span<const std::string> words) { return route_of({words.begin(), words.end()}); }

bool becomes_lockstep(std::span<const std::string> words) { return stop_route(words).direct; }

}  // namespace lockstep
