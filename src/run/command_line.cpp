#include "run/command_line.hpp"

#include "base/append_text.hpp"

namespace lockstep {

namespace {

constexpr std::size_t kShown = 300;

}  // namespace

CommandLineText command_line(char* const* argv) {
    TextBuffer<2 * kShown> words;  // no byte becomes shorter by being printed: what is cut off here is not shown anyway
    for (; *argv != nullptr && words.size() < kShown; ++argv) {
        if (!words.empty()) words += ' ';
        append_shell_quoted(words, *argv);
    }
    CommandLineText text;
    append_printable(text, words, kShown);
    return text;
}

}  // namespace lockstep
