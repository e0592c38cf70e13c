#include "supervise/front_words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "supervise/shell_script.hpp"
#include "supervise/shlex.hpp"

namespace lockstep {

namespace {

using Words = std::vector<std::string>;

constexpr std::string_view kBecome[] = {"env",       "nice",         "ionice",       "chrt",      "taskset",   "nohup",
                                        "stdbuf",    "setpriv",      "chpst",        "setlock",   "prlimit",   "s6-setlock",
                                        "setuidgid", "envdir",       "s6-setuidgid", "envuidgid", "s6-envdir", "s6-envuidgid",
                                        "softlimit", "s6-softlimit", "chroot",       "numactl",   "setarch",   "gosu",
                                        "su-exec",   "systemd-cat"};
constexpr std::string_view kPass[] = {"sudo", "tini", "dumb-init", "catatonit"};
constexpr std::string_view kTake[] = {"flock",   "dotlockfile", "run-one", "run-this-one", "keep-one-running",
                                      "chronic", "time",        "strace",  "ltrace",       "script",
                                      "xargs",   "watch",       "unbuffer"};
constexpr std::string_view kChangeUser[] = {"su", "runuser"};

bool among(std::span<const std::string_view> names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

/// A program's name, not a file of that name: time, /usr/bin/time; not /var/lock/time.
bool is_program(const std::string& word) {
    const std::size_t slash = word.rfind('/');
    return !word.contains('=') && (slash == std::string::npos || std::string_view(word).substr(0, slash).ends_with("bin"));
}

/// lockstep's own word, where it is a command.
bool begins_command_of_ours(const Words& words, std::size_t at) {
    if (words[at].contains('=') || !names_lockstep(words[at]) || at + 1 >= words.size()) return false;
    const std::string& next = words[at + 1];
    return next == "loop" || next == "run" || next == "exec" || next.starts_with('$');
}

bool script_starts_run(const std::string& script) {
    return std::ranges::any_of(shell_commands(script), [](const ShellCommand& one) { return starts_run(one.words); });
}

CommandBehind script_behind(const Words& words, std::size_t at) { return {at, {"/bin/sh", "-c", words[at]}, true}; }

CommandBehind plain_behind(const Words& words, std::size_t at) {
    return {at, {words.begin() + static_cast<std::ptrdiff_t>(std::min(at, words.size())), words.end()}, false};
}

/// timeout(1)'s: 5, 1.5, 2m. nullopt: none, or for ever.
std::optional<Millis> seconds_of(const std::string& text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const double seconds = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86400 : 0;
    if (error != std::errc{} || number * seconds <= 0 || number * seconds > 1e9) return std::nullopt;
    return Millis{static_cast<long long>(number * seconds * 1000)};
}

/// The options of lockstep exec, as far as they tell where its command begins.
class ExecOptionsRead {
  public:
    explicit ExecOptionsRead(const Words& words) : words_(words) { read_.at_once = {words[0], words[1], "--grace", "0"}; }

    ExecInFront read() {
        for (; at_ < words_.size() && words_[at_].starts_with('-') && words_[at_] != "--"; ++at_) option();
        if (!named_ && at_ < words_.size() && words_[at_] == "--") keep();
        if (!named_ && at_ < words_.size()) keep();
        if (at_ + 1 < words_.size() && (words_[at_] == "-c" || words_[at_] == "--shell")) script_ = at_ + 1;
        if (script_ != 0) {
            read_.command = script_behind(words_, script_);
            return read_;
        }
        if (at_ < words_.size() && words_[at_] == "--") keep();
        read_.command = plain_behind(words_, at_);
        return read_;
    }

  private:
    void keep() { read_.at_once.push_back(words_[at_++]); }

    void option() {
        const std::size_t first = at_;
        const std::string& word = words_[first];
        const std::size_t equals = word.find('=');
        std::string name = word.starts_with("--") ? word.substr(0, equals) : "";
        std::string value = word.starts_with("--") && equals != std::string::npos ? word.substr(equals + 1) : "";
        const bool valued =
            among(std::array<std::string_view, 6>{"--lock", "--wait", "--busy-status", "--shell", "--limit", "--grace"}, name);
        const std::size_t letter = word.starts_with("--") ? std::string::npos : word.find_first_of("wEc");
        const bool apart = (valued && equals == std::string::npos) || letter == word.size() - 1;
        if (apart && at_ + 1 < words_.size()) value = words_[++at_];
        if (letter != std::string::npos && word[letter] == 'c') name = "--shell";
        if (name == "--lock") named_ = true;
        if (name == "--shell" && apart) script_ = at_;
        if (name == "--grace") {
            const auto grace = parse_duration(value);
            read_.grace = grace ? std::optional(*grace) : std::nullopt;
            return;
        }
        if (name != "--shell")
            for (std::size_t i = first; i <= at_; ++i) read_.at_once.push_back(words_[i]);
    }

    const Words& words_;
    ExecInFront read_;
    std::size_t at_ = 2;
    std::size_t script_ = 0;
    bool named_ = false;
};

}  // namespace

bool is_shell(const std::string& word) {
    constexpr std::string_view kShells[] = {"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"};
    return !word.contains('=') && among(kShells, base_name(word));
}

bool takes_script(const std::string& option) {
    return option.starts_with('-') && !option.starts_with("--") && option.ends_with('c');
}

bool starts_run(const Words& words) {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (begins_command_of_ours(words, i) && words[i + 1] != "exec") return true;
        if (takes_script(words[i]) && script_starts_run(words[i + 1])) return true;
    }
    return false;
}

FrontKind front_kind(const std::string& program) {
    const std::string_view name = base_name(program);
    if (names_lockstep(program)) return FrontKind::lockstep;
    if (is_shell(program)) return FrontKind::shell;
    if (among(kBecome, name)) return FrontKind::becomes;
    if (among(kPass, name)) return FrontKind::passes;
    if (among(kTake, name)) return FrontKind::takes;
    if (among(kChangeUser, name)) return FrontKind::changes_user;
    return name == "timeout" ? FrontKind::timeout : FrontKind::unknown;
}

CommandBehind command_behind(const Words& words) {
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (begins_command_of_ours(words, i)) return plain_behind(words, i);
        const FrontKind kind = is_program(words[i]) ? front_kind(words[i]) : FrontKind::unknown;
        CommandBehind found = plain_behind(words, i);
        if (kind != FrontKind::unknown && kind != FrontKind::lockstep && starts_run(found.words)) return found;
        if (takes_script(words[i]) && i + 1 < words.size() && script_starts_run(words[i + 1]))
            return script_behind(words, i + 1);
    }
    return {};
}

ExecInFront exec_in_front(const Words& words) { return ExecOptionsRead(words).read(); }

TimeoutInFront timeout_in_front(const Words& words, std::size_t command_at) {
    TimeoutInFront found;
    for (std::size_t i = 0; i < command_at; ++i) {
        const std::string& word = words[i];
        const bool apart = (word == "-k" || word == "--kill-after") && i + 1 < command_at;
        const bool joined = !apart && (word.starts_with("-k") || word.starts_with("--kill-after="));
        if (i == 0 || (!apart && !joined)) {
            found.patient.push_back(word);
            continue;
        }
        found.option = "timeout " + word + (apart ? " " + words[i + 1] : "");
        found.kill_after = seconds_of(apart ? words[++i] : word.substr(word.starts_with("--") ? 13 : 2));
    }
    return found;
}

std::string user_in_front(const Words& words) {
    std::string user;
    for (std::size_t i = 1; i < words.size() && words[i] != "--"; ++i) {
        const std::string& word = words[i];
        if ((word == "-u" || word == "--user") && i + 1 < words.size()) return words[i + 1];
        const bool valued = word == "-c" || word == "--command" || word == "-s" || word == "--shell" || word == "-g" ||
                            word == "--group" || word == "-G" || word == "--supp-group" || word == "-w" || word == "-T";
        if (valued) ++i;
        if (!word.starts_with('-') && user.empty()) user = word;
    }
    return user.empty() ? "root" : user;
}

}  // namespace lockstep
