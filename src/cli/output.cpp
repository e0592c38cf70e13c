#include "cli/output.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/exit_status.hpp"
#include "base/text.hpp"
#include "sys/standard_streams.hpp"

namespace lockstep {

namespace {

/// The signal that write(2) has sent with its EPIPE, let in where it was blocked.
void end_by_broken_pipe() {
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::sigprocmask(SIG_UNBLOCK, &pipe, nullptr);
}

}  // namespace

int report_error(const Error& error) {
    std::fprintf(stderr, "lockstep: %s\n", printable(error.text, 4000).c_str());
    return to_int(exit_status_of(error.failure));
}

int print(const std::string& text, int status) {
    const auto written = write_to_stdout(text);
    if (written) return status;
    if (written.error().errno_value == EPIPE) end_by_broken_pipe();
    return report_error(written.error());
}

int print_done(const std::string& text, int status) {
    auto written = write_to_stdout(text);
    if (written) return status;
    std::string line = text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
    for (std::size_t at = 0; (at = line.find('\n', at)) != std::string::npos; at += 2)
        line.replace(at, std::min(line.find_first_not_of(' ', at + 1), line.size()) - at, "; ");
    written.error().text += ". What it was to say: " + line;
    return report_error(written.error());
}

}  // namespace lockstep
