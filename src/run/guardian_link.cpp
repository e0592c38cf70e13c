#include "run/guardian_link.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace lockstep {

void GuardianLink::tell(std::string_view text) const noexcept {
    if (listened_to && !text.empty() && text.size() <= kLongestMessage)
        ::send(socket.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

std::optional<StopRequest> receive_request(int socket) {
    StopRequest request;
    const ssize_t length = ::recv(socket, &request, sizeof request, MSG_DONTWAIT);
    if (length == static_cast<ssize_t>(sizeof request)) return request;
    if (length == 0 || (length < 0 && errno == ECONNRESET)) return StopRequest::front_died();
    return std::nullopt;
}

}  // namespace lockstep
