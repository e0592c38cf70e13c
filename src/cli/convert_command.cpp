#include "cli/convert_command.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/exit_status.hpp"
#include "base/shell_words.hpp"
#include "base/text.hpp"
#include "cli/output.hpp"
#include "cli/own_program.hpp"
#include "convert/convert.hpp"
#include "sys/subprocess.hpp"
#include "sys/whole_file.hpp"

namespace lockstep {

namespace {

constexpr char kMark[] = "# lockstep convert: ";

/// The lines without their ends; the last may lack one. Of commands, one that goes on below is one line with those.
void add_lines(std::vector<std::string>& lines, std::string_view text, CrontabKind kind) {
    while (!text.empty()) {
        const std::size_t end = kind == CrontabKind::none ? shell_line_length(text) : std::min(text.find('\n'), text.size());
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

Result<std::vector<std::string>> input_lines(const ConvertArguments& arguments) {
    if (!arguments.lines.empty() && !arguments.file.empty())
        return fail(Failure::usage, "convert: either a file or lines behind --, not both");
    std::vector<std::string> lines;
    for (const std::string& line : arguments.lines) add_lines(lines, line, arguments.kind);
    if (!arguments.lines.empty()) return lines;
    const bool is_stdin = arguments.file.empty() || arguments.file == "-";
    const auto text = is_stdin ? read_to_end(STDIN_FILENO, Failure::no_job_file, "reading stdin")
                               : read_whole_file(arguments.file, Failure::no_job_file, "reading " + arguments.file);
    if (!text) return std::unexpected(text.error());
    add_lines(lines, *text, arguments.kind);
    return lines;
}

/// Each line of the text as a comment.
std::string commented(const std::string& text) {
    std::string comment = kMark;
    for (const char c : text) comment += c == '\n' ? std::string("\n") + kMark : std::string(1, c);
    return comment + "\n";
}

/// What was, and what is different now; then the line. All of it can be given to crontab(1).
std::string shown(const Conversion& conversion, const std::string& before) {
    std::string text;
    if (conversion.outcome == Conversion::Outcome::converted) text += commented("was: " + before);
    const std::string left = conversion.outcome == Conversion::Outcome::left ? "left as it is: " : "";
    for (const std::string& note : conversion.notes) text += commented(left + printable(note, 2000));
    return text + conversion.line + "\n";
}

/// By its name where one of the directories has it, else where this one is.
std::string program_in(std::string_view path) {
    const auto is_there = [](const std::string& file) { return file.starts_with('/') && ::access(file.c_str(), X_OK) == 0; };
    return std::ranges::any_of(program_candidates("lockstep", path), is_there) ? "lockstep" : own_program();
}

}  // namespace

int convert_command(const ConvertArguments& arguments) {
    const auto lines = input_lines(arguments);
    if (!lines) return report_error(lines.error());
    const auto given = [&](std::string_view) { return arguments.program; };
    LineConverter converter(arguments.kind, arguments.program.empty() ? ProgramIn(program_in) : given);
    for (const std::string& line : *lines) converter.foresee(line);
    std::string text;
    int converted = 0;
    int left = 0;
    for (const std::string& line : *lines) {
        const Conversion conversion = converter.convert(line);
        converted += conversion.outcome == Conversion::Outcome::converted ? 1 : 0;
        left += conversion.outcome == Conversion::Outcome::left ? 1 : 0;
        text += shown(conversion, line);
    }
    std::fprintf(stderr, "lockstep: convert: %d %s converted, %d left as %s\n", converted, converted == 1 ? "line" : "lines",
                 left, left == 1 ? "it is" : "they are");
    return print(text, left > 0 ? to_int(ExitStatus::some_failed) : 0);
}

}  // namespace lockstep
