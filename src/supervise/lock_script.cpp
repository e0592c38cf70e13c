#include "supervise/lock_script.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace lockstep {

namespace {

using Tokens = std::span<const ShellToken>;
using Problem = std::unexpected<std::string>;

constexpr char kShapes[] =
    "it is none of the shapes that are known: LOCK && COMMAND; UNLOCK · LOCK && { COMMAND; UNLOCK; } · LOCK || exit; COMMAND; "
    "UNLOCK · if LOCK; then COMMAND; UNLOCK; fi · until LOCK; do sleep N; done; COMMAND; UNLOCK";

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool is_option(const ShellToken& word) { return word.text.size() > 1 && word.text.front() == '-'; }

bool same_file(const ShellToken& a, const ShellToken& b) { return a.value && b.value ? a.value == b.value : a.text == b.text; }

/// The only word that is no option, behind options that are all among `allowed`.
const ShellToken* only_operand(const SimpleCommand& command, std::span<const std::string_view> allowed) {
    const ShellToken* operand = nullptr;
    for (std::size_t i = 1; i < command.words.size(); ++i) {
        const ShellToken& word = command.words[i];
        if (is_option(word) && operand == nullptr) {
            if (std::ranges::find(allowed, word.text) == allowed.end()) return nullptr;
            if (word.text == "-m") ++i;
        } else if (operand != nullptr) {
            return nullptr;
        } else {
            operand = &word;
        }
    }
    return operand;
}

const ShellToken* directory_made(const SimpleCommand& command) {
    constexpr std::array<std::string_view, 3> kAllowed = {"-m", "-v", "--"};
    return command.program() == "mkdir" ? only_operand(command, kAllowed) : nullptr;
}

bool is_called_a_lock(const ShellToken& word) {
    std::string name(word.text);
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return contains(name, "lock") || contains(name, "lck") || contains(name, "running") || contains(name, ".pid");
}

bool gives_back(const SimpleCommand& command, const ShellToken& lock) {
    constexpr std::array<std::string_view, 6> kAllowed = {"-f", "-r", "-rf", "-fr", "-u", "--"};
    const std::string program = command.program();
    if (program != "rmdir" && program != "rm" && program != "dotlockfile") return false;
    const ShellToken* operand = only_operand(command, kAllowed);
    return operand != nullptr && same_file(*operand, lock);
}

bool hides_errors(const SimpleCommand& command) {
    return std::ranges::any_of(command.redirects, [](const ShellToken& redirect) {
        return redirect.text.starts_with("2>") || redirect.text.starts_with("&>");
    });
}

/// lockfile(1) sleeps 8 s between attempts and tries for ever, unless told otherwise.
std::string read_lockfile_options(const SimpleCommand& command, LockCall& call, const ShellToken*& file) {
    int retries = -1;
    int pause = 8;
    const auto number = [](std::string_view text, int& into) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
        return error == std::errc{} && end == text.data() + text.size();
    };
    const auto& words = command.words;
    for (std::size_t i = 1; i < words.size(); ++i) {
        std::string_view word = words[i].text;
        if (!is_option(words[i])) {
            if (file != nullptr) return "lockfile takes several files at once here: use one lock";
            file = &words[i];
            continue;
        }
        const char letter = word[1];
        if (letter >= '0' && letter <= '9') {
            if (!number(word.substr(1), pause)) return "how long lockfile sleeps cannot be told from the line";
            continue;
        }
        if (std::string_view("rls").find(letter) == std::string_view::npos)
            return "lockfile's option " + std::string(word) + " has no equal here";
        word = word.size() > 2 ? word.substr(2) : ++i < words.size() ? words[i].text : "";
        int value = 0;
        if (!number(word, value)) return "the value of lockfile's -" + std::string(1, letter) + " cannot be told from the line";
        if (letter == 'r') retries = value;
        if (letter == 'l')
            call.notes.emplace_back("age breaks no lock any more (-l): the lock of a dead run is taken over at once");
    }
    call.wait_forever = retries < 0;
    if (retries > 0 && pause > 0) call.wait = std::chrono::seconds{std::int64_t{retries} * pause};
    return file == nullptr ? "lockfile names no file here" : "";
}

std::string read_dotlockfile_options(const SimpleCommand& command, LockCall& call, const ShellToken*& file) {
    std::string_view retries;
    const auto& words = command.words;
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i].text == "-r" && i + 1 < words.size()) {
            retries = words[++i].text;
        } else if (is_option(words[i])) {
            if (words[i].text != "-l" && words[i].text != "-p")
                return "dotlockfile's option " + std::string(words[i].text) + " has no equal here";
        } else if (file != nullptr) {
            return "dotlockfile runs a command here: put lockstep exec in its place by hand";
        } else {
            file = &words[i];
        }
    }
    if (retries != "0" && retries != "-1")
        return "how long dotlockfile waits between its retries cannot be told: choose a --wait";
    call.wait_forever = retries == "-1";
    return file == nullptr ? "dotlockfile names no file here" : "";
}

/// Reads the words of a script from one place on; each function moves on only if it finds what it looks for.
class ScriptReader {
  public:
    ScriptReader(std::string_view line, Tokens tokens, std::size_t first) : line_(line), tokens_(tokens), at_(first) {}

    std::expected<LockScript, std::string> read() {
        const SimpleCommand taking = simple_command_at(tokens_, at_);
        if (std::string problem = read_taking(taking); !problem.empty()) return Problem(problem);
        const std::size_t first = at_;
        at_ = taking.last;
        begin_ = first;
        const bool found = read_condition(first) || read_and() || read_or();
        if (!found || !stands_alone()) return Problem(kShapes);
        if (at_ != tokens_.size()) return Problem("something follows behind the unlocking");
        script_.begin = tokens_[begin_].begin;
        script_.end = line_.size();
        if (auto checked = check_body(); !checked) return Problem(checked.error());
        return std::move(script_);
    }

  private:
    std::string read_taking(const SimpleCommand& taking) {
        LockCall& call = script_.call;
        std::string problem;
        const std::string program = taking.program();
        if (program == "mkdir") {
            lock_ = *directory_made(taking);
            auto placed = place_lock_directory(call, lock_);
            if (!placed) return placed.error();
            call.notes.emplace_back(
                "scripts that still make this directory by mkdir are respected, and find it taken; one that a "
                "crash left has to be removed once (rmdir)");
        } else {
            const ShellToken* file = nullptr;
            problem = program == "lockfile" ? read_lockfile_options(taking, call, file)
                                            : read_dotlockfile_options(taking, call, file);
            if (!problem.empty()) return problem;
            lock_ = *file;
            if (auto placed = place_lock_file(call, lock_, {}); !placed) return placed.error();
        }
        call.quiet = hides_errors(taking);
        return "";
    }

    bool is_op(std::string_view op) const { return at_ < tokens_.size() && tokens_[at_].is_op(op); }
    bool is_word(std::string_view word) const { return at_ < tokens_.size() && tokens_[at_].is_word(word); }
    bool is_separator() const { return is_op(";") || is_op("\n"); }
    bool skip_op(std::string_view op) { return is_op(op) && ++at_ > 0; }
    bool skip_word(std::string_view word) { return is_word(word) && ++at_ > 0; }
    bool skip_separator() { return is_separator() && ++at_ > 0; }
    void skip_separators() {
        while (skip_separator()) {
        }
    }

    /// `BODY ; UNLOCK [;]` up to the token `end`.
    bool read_body_and_release(std::size_t end, bool with_and) {
        std::size_t last = end;
        while (last > at_ && (tokens_[last - 1].is_op(";") || tokens_[last - 1].is_op("\n"))) --last;
        std::size_t first = last;
        while (first > at_ && tokens_[first - 1].kind != ShellToken::Kind::op) --first;
        if (first <= at_ + 1 || first == last) return false;
        const ShellToken& separator = tokens_[first - 1];
        const bool separated = separator.is_op(";") || separator.is_op("\n") || (with_and && separator.is_op("&&"));
        if (!separated || !gives_back(simple_command_at(tokens_, first), lock_)) return false;
        set_body(at_, first - 1);
        at_ = end;
        return true;
    }

    void set_body(std::size_t first, std::size_t last) {
        body_first_ = first;
        body_last_ = last;
        const std::size_t begin = tokens_[first].begin;
        script_.body = line_.substr(begin, tokens_[last - 1].end() - begin);
    }

    /// `if LOCK; then …; fi`, `until LOCK; do sleep N; done; …`, `while ! LOCK; do …`
    bool read_condition(std::size_t first) {
        const auto before = [&](std::size_t back, std::string_view word) {
            return first >= back && tokens_[first - back].is_word(word);
        };
        if (before(1, "if")) {
            begin_ = first - 1;
            const std::size_t end = tokens_.size() - 1;
            if (!skip_separator() || !skip_word("then") || !tokens_[end].is_word("fi") || contains_word("else") ||
                contains_word("elif"))
                return false;
            if (!read_body_and_release(end, true)) return false;
            ++at_;
            return true;
        }
        const bool until = before(1, "until");
        if (!until && !(before(1, "!") && before(2, "while"))) return false;
        begin_ = first - (until ? 1 : 2);
        if (!skip_separator() || !skip_word("do") || simple_command_at(tokens_, at_).program() != "sleep") return false;
        at_ = simple_command_at(tokens_, at_).last;
        if (!skip_separator() || !skip_word("done") || !skip_separator()) return false;
        script_.call.wait_forever = true;
        return read_body_and_release(tokens_.size(), false);
    }

    /// Nothing before it runs the commands in another way: sudo, a variable, a pipe, an ||.
    bool stands_alone() const {
        return begin_ == 0 || tokens_[begin_ - 1].is_op(";") || tokens_[begin_ - 1].is_op("\n") ||
               tokens_[begin_ - 1].is_op("&&");
    }

    bool contains_word(std::string_view word) const {
        return std::ranges::any_of(tokens_.subspan(at_), [&](const ShellToken& token) { return token.is_word(word); });
    }

    /// `LOCK && …`
    bool read_and() {
        if (!skip_op("&&")) return false;
        const bool braces = is_word("{");
        if (braces || is_op("(")) {
            std::size_t end = tokens_.size();
            while (end > at_ && (tokens_[end - 1].is_op(";") || tokens_[end - 1].is_op("\n"))) --end;
            const ShellToken& close = tokens_[end - 1];
            if (!(braces ? close.is_word("}") : close.is_op(")"))) return false;
            ++at_;
            if (!read_body_and_release(end - 1, true)) return false;
            at_ = tokens_.size();
            return true;
        }
        skip_trap();
        if (trapped_ && at_ < tokens_.size() && !gives_back(last_command(), lock_)) {
            set_body(at_, tokens_.size());
            at_ = tokens_.size();
            return true;
        }
        return read_body_and_release(tokens_.size(), true);
    }

    /// `LOCK || exit [N]; …`
    bool read_or() {
        if (!skip_op("||") || !is_word("exit")) return false;
        const SimpleCommand leaving = simple_command_at(tokens_, at_);
        int status = script_.call.old_busy_status;
        if (leaving.words.size() > 2 || !leaving.redirects.empty()) return false;
        if (leaving.words.size() == 2) {
            const std::string_view text = leaving.words[1].text;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
            if (error != std::errc{} || end != text.data() + text.size() || status < 0 || status > 255) return false;
        }
        script_.call.old_busy_status = status;
        at_ = leaving.last;
        if (!skip_separator()) return false;
        skip_trap();
        if (trapped_ && at_ < tokens_.size() && !gives_back(last_command(), lock_)) {
            set_body(at_, tokens_.size());
            at_ = tokens_.size();
            return true;
        }
        return read_body_and_release(tokens_.size(), false);
    }

    SimpleCommand last_command() const {
        std::size_t last = tokens_.size();
        while (last > at_ && tokens_[last - 1].is_op(";")) --last;
        std::size_t first = last;
        while (first > at_ && tokens_[first - 1].kind != ShellToken::Kind::op) --first;
        return simple_command_at(tokens_.first(last), first);
    }

    /// `trap 'rmdir L' EXIT [INT …] &&`
    void skip_trap() {
        if (!is_word("trap")) return;
        const SimpleCommand trap = simple_command_at(tokens_, at_);
        if (trap.words.size() < 3 || !trap.words[1].value || trap.last >= tokens_.size()) return;
        const bool at_exit =
            std::ranges::any_of(trap.words, [](const ShellToken& word) { return word.text == "EXIT" || word.text == "0"; });
        const auto inside = split_shell_line(*trap.words[1].value);
        if (!at_exit || !inside || inside->empty()) return;
        const SimpleCommand first = simple_command_at(*inside, 0);
        if (first.last != inside->size() || !gives_back(first, lock_)) return;
        if (!tokens_[trap.last].is_op("&&") && !tokens_[trap.last].is_op(";")) return;
        at_ = trap.last + 1;
        trapped_ = true;
    }

    std::expected<void, std::string> check_body() {
        const auto body = tokens_.subspan(body_first_, body_last_ - body_first_);
        for (const ShellToken& token : body) {
            if (contains(token.text, lock_.text))
                return Problem("what is done under the lock uses " + std::string(lock_.text) + " itself");
        }
        int depth = 0;
        for (const ShellToken& token : body) {
            depth += token.is_op("(") || token.is_word("{") ? 1 : token.is_op(")") || token.is_word("}") ? -1 : 0;
            if (depth < 0) return Problem(kShapes);
        }
        script_.is_one_command = needs_no_shell(simple_command_at(body, 0), body.size());
        if (!script_.is_one_command && sets_variables_before()) {
            return Problem(
                "what is done under the lock needs a shell, which does not see the variables that are set before it");
        }
        return {};
    }

    static bool needs_no_shell(const SimpleCommand& command, std::size_t size) {
        constexpr std::array<std::string_view, 28> kOfTheShell = {
            ".",   ":",     "cd",     "eval", "exec", "exit",   "export", "local", "read", "return",
            "set", "shift", "source", "trap", "type", "ulimit", "umask",  "unset", "wait", "if",
            "for", "while", "until",  "case", "time", "!",      "{",      "[["};
        if (command.last != size || !command.redirects.empty() || command.words.empty()) return false;
        const std::string_view first = command.words.front().text;
        const bool assigns = contains(first.substr(0, first.find_first_of("'\"$")), "=");
        return !assigns && std::ranges::find(kOfTheShell, first) == kOfTheShell.end();
    }

    bool sets_variables_before() const {
        return std::ranges::any_of(tokens_.first(begin_), [](const ShellToken& token) {
            return token.kind == ShellToken::Kind::word && contains(token.text, "=");
        });
    }

    std::string_view line_;
    Tokens tokens_;
    std::size_t at_;
    std::size_t begin_ = 0;  // the token that the script begins with
    ShellToken lock_;
    bool trapped_ = false;
    std::size_t body_first_ = 0;
    std::size_t body_last_ = 0;
    LockScript script_;
};

}  // namespace

std::string SimpleCommand::program() const {
    if (words.empty() || !words.front().value) return "";
    return words.front().value->substr(words.front().value->rfind('/') + 1);
}

SimpleCommand simple_command_at(std::span<const ShellToken> tokens, std::size_t first) {
    SimpleCommand command{first, first, {}, {}};
    for (; command.last < tokens.size() && tokens[command.last].kind != ShellToken::Kind::op; ++command.last) {
        const ShellToken& token = tokens[command.last];
        (token.kind == ShellToken::Kind::word ? command.words : command.redirects).push_back(token);
    }
    return command;
}

bool takes_lock_itself(const SimpleCommand& command) {
    const std::string program = command.program();
    if (program == "lockfile") return true;
    if (program == "dotlockfile")
        return std::ranges::none_of(command.words, [](const ShellToken& word) { return word.text == "-u"; });
    const ShellToken* directory = directory_made(command);
    return directory != nullptr && is_called_a_lock(*directory);
}

std::expected<LockScript, std::string> read_lock_script(std::string_view line, Tokens tokens, std::size_t first) {
    return ScriptReader(line, tokens, first).read();
}

}  // namespace lockstep
