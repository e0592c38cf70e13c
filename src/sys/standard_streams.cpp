#include "sys/standard_streams.hpp"

#include <poll.h>
#include <unistd.h>

namespace lockstep {

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
