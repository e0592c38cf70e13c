#include "job/job_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.hpp"
#include "job/read.hpp"

namespace lockstep {

namespace {

constexpr std::size_t kLargestFile = 16U << 20U;

JobFileProblems problems(std::string_view file, std::vector<Finding> findings) {
    std::string text;
    for (const Finding& finding : findings) text += (text.empty() ? "" : "\n") + to_text(finding, file);
    return {{Failure::job_file, std::move(text), 0}, std::move(findings)};
}

/// The library's own words, shortened: "syntax error while parsing value - unexpected '}'; expected …; last read: …".
std::pair<std::string, std::string> syntax_words(const JsonSyntaxError& error) {
    std::string_view what = error.what;
    if (const std::size_t dash = what.find(" - "); what.starts_with("syntax error") && dash != std::string_view::npos)
        what.remove_prefix(dash + 3);
    if (const std::size_t last = what.find("; last read:"); last != std::string_view::npos) what = what.substr(0, last);
    std::string advice;
    if (const std::size_t expected = what.find("; expected "); expected != std::string_view::npos) {
        advice = what.substr(expected + 2);
        what = what.substr(0, expected);
    }
    const bool closes =
        what.find("unexpected '}'") != std::string_view::npos || what.find("unexpected ']'") != std::string_view::npos;
    if (closes) advice = "is there a ',' too many before it?";
    return {"not JSON: " + printable(what), printable(advice)};
}

Error not_read(const std::string& path, int errno_value) {
    std::string advice;
    if (errno_value == ENOENT) advice = "; is the path right?";
    if (errno_value == ETIMEDOUT) advice = "; nothing came out of this pipe for 10s";
    return {Failure::no_job_file, path + ": cannot read the job file: " + errno_text(errno_value) + advice, errno_value};
}

/// read(2), which waits for a writer that takes its time, as that of <(…) does. Not for ever: no signal would end that wait.
ssize_t read_some(int fd, char* into, std::size_t size) {
    constexpr int kPatienceMs = 10'000;
    for (;;) {
        const ssize_t got = ::read(fd, into, size);
        if (got >= 0 || (errno != EAGAIN && errno != EINTR)) return got;
        pollfd wait{fd, POLLIN, 0};
        if (errno == EAGAIN && ::poll(&wait, 1, kPatienceMs) == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

/// O_NONBLOCK: a fifo that nobody writes to must not hang us; a directory is told by read(2).
std::expected<std::string, Error> read_whole(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return std::unexpected(not_read(path, errno));
    std::string text;
    ssize_t got = 0;
    do {
        const std::size_t length = text.size();
        text.resize(length + 65536);
        got = read_some(fd, text.data() + length, 65536);
        const int saved = errno;
        text.resize(length + static_cast<std::size_t>(got > 0 ? got : 0));
        errno = saved;
    } while (got > 0 && text.size() <= kLargestFile);
    const int saved = errno;
    ::close(fd);
    if (got < 0) return std::unexpected(not_read(path, saved));
    if (text.size() > kLargestFile) return std::unexpected(not_read(path, EFBIG));
    return text;
}

/// The real directory that the file was named in (of a symbolic link: the link's).
std::expected<std::string, Error> directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    char* real = ::realpath(parent.c_str(), nullptr);
    if (real == nullptr) return std::unexpected(not_read(path, errno));
    std::string directory = real;
    ::free(real);  // NOLINT: what realpath(3) allocated
    return directory;
}

}  // namespace

std::expected<JobSpec, JobFileProblems> parse_job(std::string_view text, const std::string& file, const std::string& directory,
                                                  const JobFileOptions& options) {
    Reading reading{.findings = Findings(text), .directory = directory};
    auto json = parse_json(text);
    if (!json) {
        auto [what, advice] = syntax_words(json.error());
        reading.findings.add_at(json.error().offset, "", std::move(what), std::move(advice));
        return std::unexpected(problems(file, reading.findings.sorted()));
    }
    if (!is_utf8(directory)) {
        reading.findings.add_general("the name of the directory " + printable(directory) + " is not UTF-8",
                                     "the journal keeps what an open pair needs, this directory, too, as UTF-8");
    }
    JobSpec job = read_job(reading, Place{&*json, ""}, options);
    if (reading.findings.count() != 0) return std::unexpected(problems(file, reading.findings.sorted()));
    job.file = file;
    job.directory = directory;
    return job;
}

std::expected<JobSpec, JobFileProblems> read_job_file(const std::string& path, const JobFileOptions& options) {
    const auto text = read_whole(path);
    if (!text) return std::unexpected(JobFileProblems{text.error(), {}});
    const auto directory = directory_of(path);
    if (!directory) return std::unexpected(JobFileProblems{directory.error(), {}});
    return parse_job(*text, path, *directory, options);
}

}  // namespace lockstep
