// The command lines of the programs that hold a lock for another: flock(1), setlock(8), s6-setlock, chpst(8), run-one(1).

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "convert/lock_call.hpp"

namespace lockstep {

namespace {

using Words = std::span<const ShellToken>;

constexpr char kForDescriptors[] =
    "it locks an open descriptor of a script: put lockstep exec in front of the whole script, or begin the script with "
    R"([ "$LOCKSTEP_LOCK" ] || exec lockstep exec NAME -- "$0" "$@")";

/// Walks over short options, several in one word, as getopt(3) does; the first word that is none ends it.
class Options {
  public:
    Options(Words words, std::string_view with_value) : words_(words), with_value_(with_value) {}

    /// The next option's letter; '-' for a long one, which text() then names; 0 when there is none left.
    char next() {
        value_.reset();
        if (rest_.empty()) {
            if (at_ == words_.size() || !words_[at_].value) return 0;
            const std::string_view word = *words_[at_].value;
            if (word.size() < 2 || word.front() != '-') return 0;
            ++at_;
            if (word == "--") return 0;
            if (word.starts_with("--")) return long_option(word);
            rest_ = word.substr(1);
        }
        const char letter = rest_.front();
        rest_.remove_prefix(1);
        if (with_value_.find(letter) != std::string_view::npos) {
            if (!rest_.empty()) value_ = std::string(rest_);
            if (rest_.empty()) take_value();
            rest_ = {};
        }
        return letter;
    }

    std::string_view text() const { return text_; }
    /// Of an option that takes one; nothing if it is missing, or cannot be told from the line.
    const std::optional<std::string>& value() const { return value_; }
    void take_value() {
        if (!value_ && at_ < words_.size()) value_ = words_[at_++].value;
    }
    /// The first word behind the options.
    std::size_t position() const { return at_; }

  private:
    char long_option(std::string_view word) {
        const std::size_t equals = word.find('=');
        text_ = word.substr(0, equals);
        if (equals != std::string_view::npos) value_ = std::string(word.substr(equals + 1));
        return '-';
    }

    Words words_;
    std::string_view with_value_;
    std::string_view rest_;
    std::string_view text_;
    std::size_t at_ = 1;
    std::optional<std::string> value_;
};

std::unexpected<std::string> unknown(std::string_view program, std::string_view option) {
    return std::unexpected(std::string(program) + "'s option " + std::string(option) + " has no equal here");
}

std::optional<int> whole_number(const std::optional<std::string>& text) {
    int number = 0;
    if (!text) return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    return error == std::errc{} && end == text->data() + text->size() && number >= 0 ? std::optional(number) : std::nullopt;
}

/// A number of `unit`s, with a fraction; zero is no wait at all.
bool set_wait(LockCall& call, const std::optional<std::string>& text, double unit_ms) {
    double number = 0;
    if (!text) return false;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    const double ms = std::ceil(number * unit_ms);
    if (error != std::errc{} || end != text->data() + text->size() || !(ms >= 0) ||
        ms > static_cast<double>(kLongestDuration.count()))
        return false;
    call.wait = Millis{static_cast<std::int64_t>(ms)};
    return true;
}

/// The words behind the options: the lock's file, then the command.
LockCallResult with_file_and_command(LockCall call, Words words, std::size_t at) {
    if (at + 1 >= words.size()) return std::unexpected("it names no command to run");
    call.command_word = at + 1;
    if (auto placed = place_lock_file(call, words[at], words.subspan(at + 1)); !placed) return std::unexpected(placed.error());
    return call;
}

constexpr std::pair<std::string_view, char> kFlockOptions[] = {
    {"--shared", 's'},   {"--exclusive", 'x'}, {"--unlock", 'u'},  {"--nonblocking", 'n'},
    {"--nonblock", 'n'}, {"--nb", 'n'},        {"--timeout", 'w'}, {"--wait", 'w'},
    {"--close", 'o'},    {"--no-fork", 'F'},   {"--verbose", 'V'}, {"--conflict-exit-code", 'E'},
};

/// One option of flock(1). @return why it cannot be converted, or ""
std::string flock_option(LockCall& call, Options& options, char letter, bool& closes) {
    std::string name = letter == '-' ? std::string(options.text()) : std::string("-") + letter;
    if (letter == '-') {
        const auto* const found = std::ranges::find(kFlockOptions, options.text(), &std::pair<std::string_view, char>::first);
        letter = found == std::end(kFlockOptions) ? '?' : found->second;
        if (letter == 'w' || letter == 'E') options.take_value();
    }
    switch (letter) {
        case 's': call.shared = true; return "";
        case 'e':
        case 'x': call.shared = false; return "";
        case 'n': call.wait = Millis{0}; return "";
        case 'w':
            return set_wait(call, options.value(), 1000) ? "" : "how long " + name + " waits cannot be told from the line";
        case 'E':
            call.busy_status = whole_number(options.value());
            return call.busy_status && *call.busy_status <= 255 ? "" : name + " needs a status from 0 to 255";
        case 'o': closes = true; return "";
        case 'F':
            call.notes.emplace_back("lockstep stays in front of the command (-F has no equal, and needs none)");
            return "";
        case 'V': call.verbose = true; return "";
        case 'u': return kForDescriptors;
        default: return unknown("flock", name).error();
    }
}

LockCallResult read_flock(Words words) {
    LockCall call;
    call.wait = std::nullopt;
    bool closes = false;
    Options options(words, "wE");
    while (const char letter = options.next()) {
        if (std::string problem = flock_option(call, options, letter, closes); !problem.empty())
            return std::unexpected(problem);
    }
    const std::size_t file = options.position();
    if (file + 1 == words.size()) return std::unexpected(kForDescriptors);
    auto read = with_file_and_command(std::move(call), words, file);
    if (!read) return read;
    if (!closes) read->notes.emplace_back("what the command leaves running in the background does not hold the lock any more");
    const ShellToken& first = words[file + 1];
    if (first.value == "-c" || first.value == "--command") {
        if (file + 3 != words.size()) return std::unexpected("-c takes exactly one word");
        read->shell_command = std::string(words[file + 2].text);
    }
    return read;
}

LockCallResult read_setlock(Words words) {
    LockCall call;
    call.wait = std::nullopt;
    call.old_busy_status = 111;
    Options options(words, "");
    while (const char letter = options.next()) {
        switch (letter) {
            case 'n': call.wait = Millis{0}; break;
            case 'N': call.wait = std::nullopt; break;
            case 'x': call.busy_status = 0; break;
            case 'X': call.busy_status.reset(); break;
            default: return unknown("setlock", letter == '-' ? std::string(options.text()) : std::string("-") + letter);
        }
    }
    call.quiet = call.busy_status.has_value() || !call.wait;
    return with_file_and_command(std::move(call), words, options.position());
}

LockCallResult read_s6_setlock(Words words) {
    LockCall call;
    call.wait = std::nullopt;
    call.quiet = false;
    Options options(words, "td");
    while (const char letter = options.next()) {
        switch (letter) {
            case 'n': call.wait = Millis{0}; break;
            case 'N': call.wait = std::nullopt; break;
            case 'r':
            case 'R': call.shared = true; break;
            case 'w':
            case 'W': call.shared = false; break;
            case 't':
                if (!set_wait(call, options.value(), 1))
                    return std::unexpected("how long -t waits cannot be told from the line");
                break;
            case 'd': break;  // only which descriptor keeps the lock
            default: return unknown("s6-setlock", letter == '-' ? std::string(options.text()) : std::string("-") + letter);
        }
    }
    call.quiet = !call.wait;
    return with_file_and_command(std::move(call), words, options.position());
}

constexpr char kForCaller[] =
    "the lock is taken by the caller, before chpst -u changes the user: chpst took it as that user, and as that user "
    "nobody can take it any more";

/// All of chpst's options but the lock stay where they are, and are now done behind it.
LockCallResult read_chpst(Words words) {
    LockCall call;
    call.quiet = false;
    call.old_busy_status = 111;
    const ShellToken* file = nullptr;
    bool moves = false;  // the lock's path is another one to chpst than to its caller
    std::string kept;
    std::size_t before = 1;
    Options options(words, "uUbe/CnlLmdopfcrt");
    while (const char letter = options.next()) {
        const std::size_t after = options.position();
        if (letter == 'l' || letter == 'L') {
            if (!options.value() || after != before + 2)
                return std::unexpected("the lock's file must be a word of its own behind -" + std::string(1, letter));
            call.wait = letter == 'l' ? std::nullopt : std::optional(Millis{0});
            call.quiet = !call.wait;
            file = &words[after - 1];
        } else {
            moves = moves || letter == '/' || letter == 'C';
            if (letter == 'u') call.notes.emplace_back(kForCaller);
            for (std::size_t i = before; i < after; ++i) kept += " " + std::string(words[i].text);
        }
        before = after;
    }
    if (file == nullptr) return std::unexpected("");
    if (moves)
        return std::unexpected(
            "chpst's -/ and -C come before its lock, which lies elsewhere than its path says: write lockstep exec PATH -- "
            "chpst … by hand");
    if (options.position() >= words.size()) return std::unexpected("it names no command to run");
    call.command_word = options.position();
    if (!kept.empty()) call.kept = std::string(words[0].text) + kept;
    if (auto placed = place_lock_file(call, *file, words.subspan(call.command_word)); !placed)
        return std::unexpected(placed.error());
    return call;
}

LockCallResult read_run_one(Words words) {
    if (words.size() < 2) return std::unexpected("it names no command to run");
    LockCall call;
    call.command_word = 1;
    const ShellToken& program = words[1];
    if (!program.value) return std::unexpected("what " + std::string(program.text) + " is cannot be told from the line");
    call.lock = name_after(*program.value);
    for (const ShellToken& word : words.subspan(1)) call.named_after += std::string(word.text) + " ";
    call.why_named = "; run-one told commands apart by all their arguments: another lock for each that may run beside this one";
    return call;
}

}  // namespace

bool is_lock_program(std::string_view name) {
    constexpr std::array<std::string_view, 5> kPrograms = {"flock", "setlock", "s6-setlock", "chpst", "run-one"};
    return std::ranges::find(kPrograms, name) != kPrograms.end();
}

LockCallResult read_lock_call(std::string_view name, Words words) {
    if (name == "flock") return read_flock(words);
    if (name == "setlock") return read_setlock(words);
    if (name == "s6-setlock") return read_s6_setlock(words);
    if (name == "chpst") return read_chpst(words);
    return read_run_one(words);
}

}  // namespace lockstep
