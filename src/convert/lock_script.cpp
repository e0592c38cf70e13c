#include "convert/lock_script.hpp"

#include <algorithm>
#include <charconv>

#include "convert/lock_body.hpp"
#include "convert/script_lock.hpp"
#include "convert/simple_command.hpp"

namespace lockstep {

namespace {

using Tokens = std::span<const ShellToken>;
using Problem = std::unexpected<std::string>;

constexpr char kShapes[] =
    "it is none of the shapes that are known: LOCK && COMMAND; UNLOCK · LOCK && { COMMAND; UNLOCK; } · LOCK || exit; COMMAND; "
    "UNLOCK · if LOCK; then COMMAND; UNLOCK; fi · until LOCK; do sleep N; done; COMMAND; UNLOCK";
constexpr char kWithoutLock[] =
    "of LOCK && COMMAND, what stands behind a || or a ; is done without the lock, too: put { } around what belongs under it, "
    "or write lockstep exec NAME -- COMMAND || … by hand";

/// Reads the words of a script from one place on; each function moves on only if it finds what it looks for.
class ScriptReader {
  public:
    ScriptReader(std::string_view line, Tokens tokens, std::size_t first) : line_(line), tokens_(tokens), at_(first) {}

    std::expected<LockScript, std::string> read() {
        const SimpleCommand taking = simple_command_at(tokens_, at_);
        auto lock = read_lock_taking(taking, script_.call);
        if (!lock) return Problem(std::move(lock).error());
        lock_ = *std::move(lock);
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
    bool is_op(std::string_view op) const { return at_ < tokens_.size() && tokens_[at_].is_op(op); }
    bool is_word(std::string_view word) const { return at_ < tokens_.size() && tokens_[at_].is_word(word); }
    bool skip_op(std::string_view op) { return skip_if(is_op(op)); }
    bool skip_word(std::string_view word) { return skip_if(is_word(word)); }
    bool skip_separator() { return skip_if(at_ < tokens_.size() && separates(tokens_[at_])); }
    bool skip_if(bool expected) {
        if (expected) ++at_;
        return expected;
    }

    static bool separates(const ShellToken& token) { return token.is_op(";") || token.is_op("\n"); }

    /// The last of those that begin behind at_ and before the token `end`; without words, if there is none.
    SimpleCommand last_command(std::size_t end) const {
        while (end > at_ && separates(tokens_[end - 1])) --end;
        std::size_t first = end;
        while (first > at_ && tokens_[first - 1].kind != ShellToken::Kind::op) --first;
        return simple_command_at(tokens_.first(end), first);
    }

    /// `BODY ; UNLOCK [;]` up to the token `end`.
    bool read_body_and_release(std::size_t end, bool with_and) {
        const SimpleCommand release = last_command(end);
        if (release.first <= at_ + 1) return false;
        const ShellToken& separator = tokens_[release.first - 1];
        if (!separates(separator) && !(with_and && separator.is_op("&&"))) return false;
        if (!gives_lock_back(release, lock_)) return false;
        if (separator.is_op("&&") && !trapped_)
            script_.call.notes.emplace_back("a command that fails keeps the lock no longer: the next run begins all the same");
        set_body(at_, release.first - 1);
        at_ = end;
        return true;
    }

    /// `[TRAP] BODY ; UNLOCK`, or behind a trap that gives the lock back: `BODY`
    bool read_body_to_the_end(bool with_and) {
        skip_trap();
        const std::size_t end = tokens_.size();
        if (!trapped_ || at_ == end || gives_lock_back(last_command(end), lock_)) return read_body_and_release(end, with_and);
        set_body(at_, end);
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
        script_.call.wait = std::nullopt;
        waits_in_loop_ = true;
        return read_body_and_release(tokens_.size(), false);
    }

    /// Nothing before it runs the commands in another way: sudo, a variable, a pipe, an ||. An && in front of a loop that waits
    /// holds for the loop only, not for what follows it.
    bool stands_alone() const {
        if (begin_ == 0 || separates(tokens_[begin_ - 1])) return true;
        return tokens_[begin_ - 1].is_op("&&") && !waits_in_loop_;
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
            while (end > at_ && separates(tokens_[end - 1])) --end;
            const ShellToken& close = tokens_[end - 1];
            if (!(braces ? close.is_word("}") : close.is_op(")"))) return false;
            ++at_;
            if (!read_body_and_release(end - 1, true)) return false;
            at_ = tokens_.size();
            return true;
        }
        is_bare_and_ = true;
        return read_body_to_the_end(true);
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
        return read_body_to_the_end(false);
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
        if (first.last != inside->size() || !gives_lock_back(first, lock_)) return;
        if (!tokens_[trap.last].is_op("&&") && (is_bare_and_ || !tokens_[trap.last].is_op(";"))) return;
        at_ = trap.last + 1;
        trapped_ = true;
    }

    std::expected<void, std::string> check_body() {
        const auto body = tokens_.subspan(body_first_, body_last_ - body_first_);
        for (const ShellToken& token : body) {
            if (token.text.contains(lock_.text))
                return Problem("what is done under the lock uses " + std::string(lock_.text) + " itself");
        }
        int depth = 0;
        for (const ShellToken& token : body) {
            depth += token.is_op("(") || token.is_word("{") ? 1 : token.is_op(")") || token.is_word("}") ? -1 : 0;
            if (depth < 0) return Problem(kShapes);
        }
        if (is_bare_and_ && goes_on_without_lock(body)) return Problem(kWithoutLock);
        script_.is_one_command = !needs_shell(body);
        return check_before(body);
    }

    /// What stands before the lock is done by the line's own shell, and only children of that are given a part of it.
    std::expected<void, std::string> check_before(Tokens body) const {
        const Tokens before = tokens_.first(begin_);
        if (script_.is_one_command) {
            const std::string name(body.front().text);
            const auto naming = names_of_its_own(before);
            if (naming && !name.contains('/'))
                return Problem(name + " may be a function or an alias here (" + std::string(*naming) +
                               "), which no other program can run: write the program's path");
        } else if (const auto kept = kept_from_a_new_shell(before)) {
            return Problem(
                "what is done under the lock needs a shell of its own, which does not see the variables, functions and "
                "options that are perhaps set before it (" +
                std::string(*kept) + ")");
        }
        return {};
    }

    std::string_view line_;
    Tokens tokens_;
    std::size_t at_;
    std::size_t begin_ = 0;  // the token that the script begins with
    ShellToken lock_;
    bool trapped_ = false;
    bool waits_in_loop_ = false;  // until LOCK; do sleep N; done; …
    bool is_bare_and_ = false;    // LOCK && …, without braces
    std::size_t body_first_ = 0;
    std::size_t body_last_ = 0;
    LockScript script_;
};

}  // namespace

std::expected<LockScript, std::string> read_lock_script(std::string_view line, Tokens tokens, std::size_t first) {
    return ScriptReader(line, tokens, first).read();
}

}  // namespace lockstep
