#include "run/guardian_link.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace lockstep {

void GuardianLink::tell(std::string_view text) const noexcept {
    if (listened_to && !text.empty() && text.size() <= kLongestMessage)
        ::send(socket.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

std::optional<StopNotice> read_notice(int socket) {
    StopNotice notice;
    const ssize_t length = ::recv(socket, &notice, sizeof notice, MSG_DONTWAIT);
    if (length == static_cast<ssize_t>(sizeof notice)) return notice;
    if (length == 0 || (length < 0 && errno == ECONNRESET)) return StopNotice::front_died();
    return std::nullopt;
}

}  // namespace lockstep
