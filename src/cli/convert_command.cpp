#include "cli/convert_command.hpp"

#include <unistd.h>

#include <cstdio>

#include "base/exit_status.hpp"
#include "base/text.hpp"
#include "cli/output.hpp"
#include "convert/convert.hpp"
#include "sys/whole_file.hpp"

namespace lockstep {

namespace {

constexpr char kMark[] = "# lockstep convert: ";

/// The lines without their ends; the last may lack one.
std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

Result<std::vector<std::string>> input_lines(const ConvertArguments& arguments) {
    if (!arguments.lines.empty() && !arguments.file.empty())
        return fail(Failure::usage, "convert: either a file or lines behind --, not both");
    if (!arguments.lines.empty()) return arguments.lines;
    const bool is_stdin = arguments.file.empty() || arguments.file == "-";
    const auto text = is_stdin ? read_to_end(STDIN_FILENO, Failure::no_job_file, "reading stdin")
                               : read_whole_file(arguments.file, Failure::no_job_file, "reading " + arguments.file);
    if (!text) return std::unexpected(text.error());
    return lines_of(*text);
}

/// What was, and what is different now; then the line. All of it can be given to crontab(1).
std::string shown(const Conversion& conversion, const std::string& before) {
    std::string text;
    if (conversion.outcome == Conversion::Outcome::converted) text += kMark + ("was: " + before) + "\n";
    const std::string left = conversion.outcome == Conversion::Outcome::left ? "left as it is: " : "";
    for (const std::string& note : conversion.notes) text += kMark + left + printable(note, 2000) + "\n";
    return text + conversion.line + "\n";
}

}  // namespace

int convert_command(const ConvertArguments& arguments) {
    const auto lines = input_lines(arguments);
    if (!lines) return report_error(lines.error());
    LineConverter converter(arguments.kind);
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
