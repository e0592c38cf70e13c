#include "convert/script_lock.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"

namespace lockstep {

namespace {

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
    const std::string name = lower_case(word.text);
    return name.contains("lock") || name.contains("lck") || name.contains("running") || name.contains(".pid");
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
    if (retries < 0) call.wait = std::nullopt;
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
    if (retries == "-1") call.wait = std::nullopt;
    return file == nullptr ? "dotlockfile names no file here" : "";
}

}  // namespace

bool takes_lock_itself(const SimpleCommand& command) {
    const std::string program = command.program();
    if (program == "lockfile") return true;
    if (program == "dotlockfile")
        return std::ranges::none_of(command.words, [](const ShellToken& word) { return word.text == "-u"; });
    const ShellToken* directory = directory_made(command);
    return directory != nullptr && is_called_a_lock(*directory);
}

std::expected<ShellToken, std::string> read_lock_taking(const SimpleCommand& taking, LockCall& call) {
    const ShellToken* lock = directory_made(taking);
    if (lock != nullptr) {
        if (auto placed = place_lock_directory(call, *lock); !placed) return std::unexpected(placed.error());
        call.notes.emplace_back(
            "scripts that still make this directory by mkdir are respected, and find it taken; one that a "
            "crash left has to be removed once (rmdir)");
    } else {
        const std::string problem = taking.program() == "lockfile" ? read_lockfile_options(taking, call, lock)
                                                                   : read_dotlockfile_options(taking, call, lock);
        if (!problem.empty()) return std::unexpected(problem);
        if (auto placed = keep_lock_file(call, *lock); !placed) return std::unexpected(placed.error());
    }
    call.quiet = hides_errors(taking);
    return *lock;
}

bool gives_lock_back(const SimpleCommand& command, const ShellToken& lock) {
    constexpr std::array<std::string_view, 6> kAllowed = {"-f", "-r", "-rf", "-fr", "-u", "--"};
    const std::string program = command.program();
    if (program != "rmdir" && program != "rm" && program != "dotlockfile") return false;
    const ShellToken* operand = only_operand(command, kAllowed);
    return operand != nullptr && same_file(*operand, lock);
}

}  // namespace lockstep
