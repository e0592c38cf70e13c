#include "supervise/systemctl.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "base/clock.hpp"
#include "sys/subprocess.hpp"

namespace lockstep {

namespace {

/// All that comes out of the pipe until its end or the deadline. @return false: it was not the end
bool read_all(int fd, MonotonicTime deadline, std::string& text) {
    char buffer[4096];
    for (;;) {
        pollfd wait{fd, POLLIN, 0};
        if (::poll(&wait, 1, millis_until(deadline)) == 0) return false;
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got == 0) return true;
        if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
        if (got < 0 && errno != EINTR) return false;
    }
}

}  // namespace

bool systemd_runs_this_machine() {
    struct stat info{};
    return ::lstat("/run/systemd/system/", &info) == 0 && S_ISDIR(info.st_mode);
}

Result<SystemctlProperties> systemctl_show(const std::string& unit, const std::vector<std::string>& properties, bool user,
                                           Millis limit) {
    const MonotonicTime deadline = monotonic_now() + limit;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return os_error(Failure::os, "creating a pipe");
    const UniqueFd out(ends[0]);
    UniqueFd in(ends[1]);
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) return os_error(Failure::os, "opening /dev/null");
    SpawnRequest request;
    request.argv = {"systemctl", "show", "--no-pager"};
    if (user) request.argv.insert(request.argv.begin() + 1, "--user");
    SystemctlProperties shown;
    for (const std::string& property : properties) {
        request.argv.insert(request.argv.end(), {"-p", property});
        shown[property];
    }
    request.argv.insert(request.argv.end(), {"--", unit});
    request.stdin_fd = null.get();
    request.stdout_fd = in.get();
    request.stderr_fd = null.get();
    auto child = Subprocess::spawn(request);
    if (!child) return std::unexpected(child.error());
    in.reset();
    std::string text;
    const bool whole = read_all(out.get(), deadline, text);
    if (!whole) child->signal_group(SIGKILL);
    const WaitStatus status = child->wait();
    if (!whole || status.shell_status() != 0) return fail(Failure::os, "systemctl show " + unit + ": no answer");
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        at = end + 1;
        const std::size_t equals = line.find('=');
        if (equals != std::string::npos && shown.contains(line.substr(0, equals)))
            shown[line.substr(0, equals)] = line.substr(equals + 1);
    }
    return shown;
}

Result<bool> calendar_is_understood(const std::string& times) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) return os_error(Failure::os, "opening /dev/null");
    SpawnRequest request;
    request.argv = {"systemd-analyze", "calendar", "--", times};
    request.stdin_fd = request.stdout_fd = request.stderr_fd = null.get();
    auto child = Subprocess::spawn(request);
    if (!child) return std::unexpected(child.error());
    return child->wait().shell_status() == 0;
}

}  // namespace lockstep
