#include "sys/standard_streams.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "sys/unique_fd.hpp"

namespace lockstep {

void occupy_closed_streams() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(stream, F_GETFD) >= 0) continue;
        // The lowest free number is this one, for those below it are open by now. Open for the direction that nobody uses it
        // in.
        (void)::open("/dev/null", (stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
    }
}

Result<void> write_to_stdout(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            pollfd ready{STDOUT_FILENO, POLLOUT, 0};
            ::poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return os_error(Failure::output, "writing to stdout");
        }
    }
    return {};
}

}  // namespace lockstep
