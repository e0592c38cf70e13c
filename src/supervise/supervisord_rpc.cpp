#include "supervise/supervisord_rpc.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "sys/unique_fd.hpp"

namespace lockstep {

namespace {

constexpr std::size_t kLargestAnswer = 16U << 20U;
constexpr char kQuestion[] =
    "<?xml version='1.0'?><methodCall><methodName>supervisor.getAllConfigInfo</methodName><params></params></methodCall>";

struct Place {
    std::string path;  ///< of a unix socket, or:
    std::string host;
    std::string port = "80";
    std::string credentials;  ///< "user:password"
};

std::optional<Place> parse_url(const std::string& url) {
    Place place;
    const char* user = ::getenv("SUPERVISOR_USERNAME");
    const char* password = ::getenv("SUPERVISOR_PASSWORD");
    if (user != nullptr && *user != '\0') place.credentials = std::string(user) + ":" + (password != nullptr ? password : "");
    if (url.starts_with("unix://")) {
        place.path = url.substr(7);
        return place;
    }
    if (!url.starts_with("http://")) return std::nullopt;
    std::string rest = url.substr(7, url.find('/', 7) - 7);
    if (const std::size_t at = rest.rfind('@'); at != std::string::npos) {
        place.credentials = rest.substr(0, at);
        rest.erase(0, at + 1);
    }
    const std::size_t colon = rest.rfind(':');
    if (colon != std::string::npos && rest.find(']', colon) == std::string::npos) {
        place.port = rest.substr(colon + 1);
        rest.resize(colon);
    }
    if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
    place.host = rest;
    return place;
}

/// Waits for the descriptor; false at the deadline.
bool ready(int fd, short events, MonotonicTime deadline) {
    pollfd wait{fd, events, 0};
    return ::poll(&wait, 1, millis_until(deadline)) > 0;
}

bool connected(int fd, const sockaddr* address, socklen_t length, MonotonicTime deadline) {
    if (::connect(fd, address, length) == 0) return true;
    if ((errno != EINPROGRESS && errno != EAGAIN) || !ready(fd, POLLOUT, deadline)) return false;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

UniqueFd connect_unix(const std::string& path, MonotonicTime deadline) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return {};
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd || !connected(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline)) return {};
    return fd;
}

UniqueFd connect_inet(const Place& place, MonotonicTime deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &found) != 0) return {};
    UniqueFd fd;
    for (const addrinfo* one = found; one != nullptr && !fd; one = one->ai_next) {
        fd.reset(::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (fd && !connected(fd.get(), one->ai_addr, one->ai_addrlen, deadline)) fd.reset();
    }
    ::freeaddrinfo(found);
    return fd;
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::string_view group = bytes.substr(i, 3);
        unsigned bits = 0;
        for (std::size_t j = 0; j < 3; ++j) bits = bits << 8U | (j < group.size() ? static_cast<unsigned char>(group[j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j) out += j <= group.size() ? kDigits[bits >> (18U - 6U * j) & 63U] : '=';
    }
    return out;
}

std::string request(const Place& place) {
    const std::string host = place.host.empty() ? "localhost" : place.host;
    return "POST /RPC2 HTTP/1.0\r\nHost: " + host + "\r\nContent-Type: text/xml\r\n" +
           (place.credentials.empty() ? "" : "Authorization: Basic " + base64(place.credentials) + "\r\n") +
           "Content-Length: " + std::to_string(sizeof kQuestion - 1) + "\r\n\r\n" + kQuestion;
}

bool send_all(int fd, std::string_view text, MonotonicTime deadline) {
    while (!text.empty()) {
        if (!ready(fd, POLLOUT, deadline)) return false;
        const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// The value of Content-Length, if that header has come.
std::optional<std::size_t> content_length(std::string_view head) {
    constexpr std::string_view kName = "\ncontent-length:";
    for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) {
        if (head.size() < at + kName.size() || ::strncasecmp(head.data() + at, kName.data(), kName.size()) != 0) continue;
        const std::size_t digits = head.find_first_of("0123456789", at);
        std::size_t length = 0;
        if (digits == std::string_view::npos) return std::nullopt;
        const auto [end, error] = std::from_chars(head.data() + digits, head.data() + head.size(), length);
        if (error == std::errc{}) return length;
    }
    return std::nullopt;
}

/// The body of a whole 200 answer; nullopt otherwise.
std::optional<std::string> read_body(int fd, MonotonicTime deadline) {
    std::string text;
    char buffer[16384];
    for (;;) {
        const std::size_t head_end = text.find("\r\n\r\n");
        if (head_end != std::string::npos) {
            const std::string_view head = std::string_view(text).substr(0, head_end + 2);
            if (head.find(" 200") != head.find(' ')) return std::nullopt;
            const auto length = content_length(head);
            if (length && text.size() >= head_end + 4 + *length) return text.substr(head_end + 4, *length);
        }
        if (text.size() > kLargestAnswer || !ready(fd, POLLIN, deadline)) return std::nullopt;
        const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
        if (got > 0) {
            text.append(buffer, static_cast<std::size_t>(got));
        } else if (got == 0) {
            return head_end != std::string::npos && !content_length(text) ? std::optional(text.substr(head_end + 4))
                                                                          : std::nullopt;
        } else if (errno != EAGAIN && errno != EINTR) {
            return std::nullopt;
        }
    }
}

std::string unescaped(std::string_view text) {
    constexpr std::pair<std::string_view, char> kEntities[] = {
        {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}};
    std::string out;
    while (!text.empty()) {
        char c = text.front();
        std::size_t length = 1;
        for (const auto& [entity, character] : kEntities) {
            if (!text.starts_with(entity)) continue;
            c = character;
            length = entity.size();
        }
        out += c;
        text.remove_prefix(length);
    }
    return out;
}

/// The text of a scalar member of a struct: what stands between <value>, its type's tag and the next tag.
std::optional<std::string> member(std::string_view structure, const std::string& name) {
    const std::size_t at = structure.find("<name>" + name + "</name>");
    if (at == std::string_view::npos) return std::nullopt;
    std::size_t begin = structure.find("<value>", at);
    if (begin == std::string_view::npos) return std::nullopt;
    begin += std::strlen("<value>");
    if (begin < structure.size() && structure[begin] == '<') begin = structure.find('>', begin) + 1;
    const std::size_t end = structure.find('<', begin);
    return end == std::string_view::npos ? std::nullopt : std::optional(unescaped(structure.substr(begin, end - begin)));
}

}  // namespace

std::optional<int> stopwaitsecs_in_answer(std::string_view xml, std::string_view group, std::string_view process) {
    for (std::size_t at = 0; (at = xml.find("<struct>", at)) != std::string_view::npos;) {
        const std::size_t end = xml.find("</struct>", at);
        const std::string_view structure = xml.substr(at, end - at);
        at = end;
        if (member(structure, "name") != process) continue;
        if (!group.empty() && member(structure, "group") != group) continue;
        const auto seconds = member(structure, "stopwaitsecs");
        int value = 0;
        if (!seconds || std::from_chars(seconds->data(), seconds->data() + seconds->size(), value).ec != std::errc{})
            return std::nullopt;
        return value;
    }
    return std::nullopt;
}

Result<int> ask_stopwaitsecs(const std::string& url, const std::string& group, const std::string& process,
                             MonotonicTime deadline) {
    const auto place = parse_url(url);
    if (!place) return fail(Failure::os, "asking supervisord: its URL names no place that can be asked");
    const UniqueFd fd = place->path.empty() ? connect_inet(*place, deadline) : connect_unix(place->path, deadline);
    // The address without its credentials is not worth a line of code: it is not said.
    if (!fd || !send_all(fd.get(), request(*place), deadline)) return fail(Failure::os, "asking supervisord: no connection");
    const auto body = read_body(fd.get(), deadline);
    if (!body) return fail(Failure::os, "asking supervisord: no answer");
    const auto seconds = stopwaitsecs_in_answer(*body, group, process);
    if (!seconds) return fail(Failure::os, "asking supervisord: it does not tell stopwaitsecs of " + process);
    return *seconds;
}

}  // namespace lockstep
