#include "convert/convert.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "convert/found_program.hpp"
#include "convert/lock_script.hpp"
#include "convert/script_lock.hpp"
#include "convert/simple_command.hpp"

namespace lockstep {

namespace {

constexpr char kNested[] =
    "what runs under the lock takes one more: write lockstep exec --lock A --lock B -- COMMAND by hand (all locks are taken "
    "before it begins)";

constexpr char kNotRead[] = "the lock is taken in a way that is not read, perhaps inside a quoted script";

Conversion left(std::string why) { return {Conversion::Outcome::left, "", {std::move(why)}, ""}; }

Conversion converted(std::string line, LockCall&& call) {
    return {Conversion::Outcome::converted, std::move(line), std::move(call.notes), std::move(call.lock)};
}

}  // namespace

Conversion LineConverter::convert(std::string_view line) {
    foresee(line);
    const CrontabLine parts = read_crontab_line(line, kind_);
    Conversion result;
    if (parts.kind == CrontabLine::Kind::variable) {
        has_shell_ = has_shell_ || parts.name == "SHELL";
        if (parts.name == "PATH") look_up(parts.value);
    } else if (parts.kind == CrontabLine::Kind::entry) {
        result = convert_command(parts.command);
    } else if (parts.kind == CrontabLine::Kind::wrong && speaks_of_locks(line)) {
        result = left(kind_ == CrontabKind::system ? "it has no five fields of time, user and command"
                                                   : "it has no five fields of time and a command");
    }
    result.line = result.outcome == Conversion::Outcome::converted
                      ? std::string(parts.when) + result.line + std::string(parts.input)
                      : std::string(line);
    if (result.outcome == Conversion::Outcome::converted && kind_ == CrontabKind::system) compare_users(parts.when, result);
    if (result.outcome == Conversion::Outcome::converted && program_ != "lockstep" && !said_path_) {
        said_path_ = true;
        result.notes.emplace_back("lockstep is called by its path; the PATH of this line is " + path_);
    }
    return result;
}

/// flock lets two users wait for one file. A lock directory is its maker's.
void LineConverter::compare_users(std::string_view when, Conversion& result) {
    const std::string_view words = trimmed(when);
    const std::string user(words.substr(words.find_last_of(" \t") + 1));
    const std::string& first = users_.try_emplace(result.lock, user).first->second;
    if (first == user) return;
    result.notes.push_back(first + " uses the lock " + result.lock +
                           ", too: a lock that another user holds is refused (73, and said) " +
                           "and not waited for; let one user run both lines");
}

void LineConverter::look_up(std::string_view path) {
    path_ = path;
    if (kind_ == CrontabKind::none || !program_in_) return;
    program_ = replaced(shell_quoted(program_in_(path)), "%", "\\%");  // crontab(5)
}

void LineConverter::foresee(std::string_view line) {
    constexpr std::string_view kPlace = "/tmp/";
    if (read_crontab_line(line, kind_).kind != CrontabLine::Kind::entry) return;
    for (std::size_t at = line.find(kPlace); at != std::string_view::npos; at = line.find(kPlace, at + 1)) {
        const std::size_t name = at + kPlace.size();
        const std::string_view file = line.substr(name, line.find_first_not_of(kNameCharacters, name) - name);
        const bool is_whole = at == 0 || (line[at - 1] != '/' && kNameCharacters.find(line[at - 1]) == std::string_view::npos);
        if (is_whole && file.ends_with(".lock")) places_.emplace(file.substr(0, file.size() - 5));
    }
}

Conversion LineConverter::convert_command(std::string_view command) {
    Conversion result = convert_outside_quotes(command);
    return result.outcome == Conversion::Outcome::nothing && takes_lock(command) ? left(kNotRead) : result;
}

Conversion LineConverter::convert_outside_quotes(std::string_view command) {
    const auto tokens = split_shell_line(command);
    if (!tokens)
        return speaks_of_locks(command) ? left("a quote is not closed, or there is a here-document or the like in it")
                                        : Conversion();
    std::vector<FoundProgram> calls;
    std::vector<std::size_t> lasts;
    for (std::size_t at = 0; at < tokens->size(); ++at) {
        const std::size_t last = simple_command_at(*tokens, at).last;
        if (last > at) {
            FoundProgram found = find_program(*tokens, at, last);
            const bool itself = takes_lock_itself(simple_command_at(std::span(*tokens).first(last), found.token));
            if (is_lock_program(found.program) || itself) {
                calls.push_back(std::move(found));
                lasts.push_back(last);
            }
        }
        at = last;
    }
    Conversion result;
    if (calls.size() > 1) return left("it takes more than one lock");
    if (!calls.empty()) {
        result = is_lock_program(calls[0].program) ? convert_call(command, *tokens, calls[0].token, lasts[0])
                                                   : convert_script(command, *tokens, calls[0].token);
    }
    if (result.outcome == Conversion::Outcome::nothing && speaks_of_locks(command))
        return left(kNotRead + (kind_ == CrontabKind::user && has_user_in_front(*tokens)
                                    ? "; if " + std::string(tokens->front().text) +
                                          " is a user, as in /etc/crontab, say lockstep convert --system"
                                    : ""));
    return result;
}

Conversion LineConverter::convert_call(std::string_view command, const std::vector<ShellToken>& tokens, std::size_t word,
                                       std::size_t last) {
    std::size_t first = word;
    while (first > 0 && tokens[first - 1].kind != ShellToken::Kind::op) --first;
    const SimpleCommand whole = simple_command_at(tokens, first);
    std::vector<ShellToken> words;
    for (std::size_t i = word; i < last; ++i) {
        if (tokens[i].kind == ShellToken::Kind::word) words.push_back(tokens[i]);
    }
    auto call = read_lock_call(program_of(tokens[word]), words);
    if (!call) return call.error().empty() ? Conversion() : left(call.error());
    const FoundProgram found = find_program(tokens, first, last);
    call->no_grace = found.behind_timeout;
    call->timeout_signal = found.timeout_signal;

    // The command's own first word: what lies before it is replaced, redirections among it apart.
    const std::size_t begin = tokens[word].begin;
    std::size_t end = words.back().end();
    if (call->shell_command.empty()) end = words[call->command_word].begin;
    for (const ShellToken& redirect : whole.redirects) {
        if (redirect.begin > begin && redirect.begin < end)
            return left("a redirection stands among the words that would be replaced");
    }
    if (takes_lock(command.substr(end, words.back().end() - end)) || takes_lock(call->shell_command)) return left(kNested);
    if (!call->shell_command.empty() && sets_shell(std::span(tokens).subspan(first, word - first)))
        return left("which shell runs the word behind -c cannot be told: what stands in front sets SHELL");
    finish(*call, is_status_used(tokens, first, last));
    std::string text(command.substr(0, begin));
    text += call->shell_command.empty() ? exec_prefix(*call) + " "
                                        : exec_by_shell(*call, shell_of_environment(), call->shell_command);
    text += command.substr(end);
    return converted(std::move(text), std::move(*call));
}

bool LineConverter::takes_lock(std::string_view command) const {
    if (LineConverter(kind_).convert_outside_quotes(command).outcome != Conversion::Outcome::nothing) return true;
    const auto tokens = split_shell_line(command);
    return tokens && std::ranges::any_of(*tokens, [&](const ShellToken& token) {
               // A script is a word with quotes or backslashes; what stands in it is less than the word, which ends this.
               if (token.kind != ShellToken::Kind::word || token.text.find_first_of("'\"\\") == std::string_view::npos)
                   return false;
               const std::string_view inside = token.text.front() == '"' && token.text.size() > 2 && token.text.back() == '"'
                                                   ? token.text.substr(1, token.text.size() - 2)
                                                   : token.text;
               return token.value ? takes_lock(*token.value) : inside != token.text && takes_lock(inside);
           });
}

Conversion LineConverter::convert_script(std::string_view command, const std::vector<ShellToken>& tokens, std::size_t first) {
    auto script = read_lock_script(command, tokens, first);
    if (!script) return left(script.error());
    if (takes_lock(script->body)) return left(kNested);
    if (kind_ == CrontabKind::none)
        script->call.notes.emplace_back(script->is_one_command ? "the exit status is the command's, not that of the unlocking; "
                                                                 "the command is a program: functions are not seen"
                                                               : "the exit status is the work's, not that of the unlocking; sh "
                                                                 "does it (-- bash -c for another shell), which sees "
                                                                 "exported variables only, no functions, no arguments");
    finish(script->call, false);
    std::string text(command.substr(0, script->begin));
    text += script->is_one_command ? exec_prefix(script->call) + " " + std::string(script->body)
                                   : exec_by_shell(script->call, shell_of_line(), shell_quoted(script->body));
    return converted(std::move(text), std::move(script->call));
}

/// What depends on the line around the call, and on the lines before it.
void LineConverter::finish(LockCall& call, bool status_is_used) {
    call.program = program_;
    if (kind_ == CrontabKind::none || status_is_used) {
        if (!call.busy_status && call.wait) call.busy_status = call.old_busy_status;
    }
    if (!call.busy_status && call.wait && !call.quiet)
        call.notes.push_back("a busy lock is said on stderr, and is exit status 75 instead of " +
                             std::to_string(call.old_busy_status));
    if (call.no_grace) {
        const bool kills = call.timeout_signal == "KILL";
        call.notes.push_back(
            "timeout's SIG" + call.timeout_signal +
            (kills ? " ends lockstep and not the command, which goes on under the lock"
                   : std::string(" reaches the command at once") + (call.timeout_signal == "TERM" ? "" : ", as SIGTERM")) +
            "; --limit D of lockstep exec " + (kills ? "ends both" : "does the same") + " by itself");
    }
    if (!call.named_after.empty()) name_lock(call);
}

/// Two locks that come to the same name would keep their commands from running beside each other.
void LineConverter::name_lock(LockCall& call) {
    const std::string wanted = call.lock;
    const auto give = [&](const std::string& name) {
        return !places_.contains(name) && named_.try_emplace(name, call.named_after).first->second == call.named_after;
    };
    for (int n = 2; !give(call.lock); ++n) call.lock = wanted + "-" + std::to_string(n);
    call.notes.push_back("the lock is the directory /tmp/" + call.lock + ".lock" + call.why_named);
}

/// The one that runs a crontab's line; of any other, it is not known which reads it.
std::string LineConverter::shell_of_line() const { return has_shell_ ? "\"$SHELL\"" : "sh"; }

/// The one that flock(1) runs for -c. cron's own is sh, unless the crontab says otherwise.
std::string LineConverter::shell_of_environment() const {
    return kind_ == CrontabKind::none ? "\"${SHELL:-/bin/sh}\"" : shell_of_line();
}

}  // namespace lockstep
