#include "support/test_server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <stdexcept>

namespace lockstep::testing {

namespace {

/// A connection's incoming bytes, read until the peer or the server ends.
class Reader {
  public:
    Reader(int fd, int stop) : fd_(fd), stop_(stop) {}

    /// Up to and including `end`, or nothing.
    std::optional<std::string> until(std::string_view end) {
        for (;;) {
            const std::size_t found = pending_.find(end);
            if (found != std::string::npos) return take(found + end.size());
            if (!more()) return std::nullopt;
        }
    }
    std::optional<std::string> exactly(std::size_t length) {
        while (pending_.size() < length) {
            if (!more()) return std::nullopt;
        }
        return take(length);
    }

  private:
    std::string take(std::size_t length) {
        std::string taken = pending_.substr(0, length);
        pending_.erase(0, length);
        return taken;
    }
    bool more() {
        pollfd waits[2] = {{fd_, POLLIN, 0}, {stop_, POLLIN, 0}};
        ::poll(waits, 2, -1);
        if ((waits[1].revents & POLLIN) != 0) return false;
        char buffer[16 * 1024];
        const ssize_t length = ::recv(fd_, buffer, sizeof buffer, 0);
        if (length <= 0) return false;
        pending_.append(buffer, static_cast<std::size_t>(length));
        return true;
    }

    int fd_;
    int stop_;
    std::string pending_;
};

void parse_head(const std::string& head, ServerRequest& request) {
    const std::size_t first_end = head.find("\r\n");
    const std::string line = head.substr(0, first_end);
    const std::size_t blank = line.find(' ');
    request.method = line.substr(0, blank);
    request.target = line.substr(blank + 1, line.rfind(' ') - blank - 1);
    for (std::size_t at = first_end + 2; at < head.size();) {
        const std::size_t end = head.find("\r\n", at);
        const std::string field = head.substr(at, end - at);
        const std::size_t colon = field.find(':');
        if (colon != std::string::npos) {
            const std::size_t value = field.find_first_not_of(' ', colon + 1);
            request.headers.emplace_back(field.substr(0, colon), value == std::string::npos ? "" : field.substr(value));
        }
        at = end + 2;
    }
}

bool read_request(Reader& reader, ServerRequest& request) {
    const auto head = reader.until("\r\n\r\n");
    if (!head) return false;
    parse_head(*head, request);
    const std::string length = request.header("Content-Length");
    const auto body = reader.exactly(length.empty() ? 0 : std::stoul(length));
    if (!body) return false;
    request.body = *body;
    return true;
}

void send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t length = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (length <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(length));
    }
}

std::string answer_head(const ServerReply& reply) {
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " Test\r\n";
    for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
    if (reply.status != 204) head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    return head + "\r\n";
}

}  // namespace

std::string ServerRequest::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), name.size()) == 0) return value;
    }
    return "";
}

TestServer::TestServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    stop_ = ::eventfd(0, EFD_CLOEXEC);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, length) != 0 || ::listen(listener_, 128) != 0 ||
        ::getsockname(listener_, generic, &length) != 0) {
        throw std::runtime_error("the test server cannot listen");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_loop(); });
}

TestServer::~TestServer() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_, &one, sizeof one);
    stop_listening();
    for (std::thread& worker : workers_) worker.join();
    ::close(stop_);
}

std::string TestServer::url(const std::string& target) const { return "http://127.0.0.1:" + std::to_string(port_) + target; }

std::vector<ServerRequest> TestServer::requests() const {
    const std::lock_guard guard(mutex_);
    return requests_;
}

bool TestServer::wait_for_requests(std::size_t count) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (requests().size() < count) {
        if (std::chrono::steady_clock::now() > end) return false;
        ::poll(nullptr, 0, 2);
    }
    return true;
}

void TestServer::stop_listening() {
    const std::lock_guard guard(listening_mutex_);  // a handler may be at it: its caller waits until the acceptor is gone
    if (!listening_.exchange(false)) return;
    ::shutdown(listener_, SHUT_RDWR);  // wakes the acceptor; the kernel refuses from now on
    acceptor_.join();
    ::close(listener_);
}

void TestServer::accept_loop() {
    for (int connection = 1; listening_; ++connection) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return;  // shut down
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        workers_.emplace_back([this, fd, connection] { serve(fd, connection); });
    }
}

void TestServer::serve(int fd, int connection) {
    Reader reader(fd, stop_);
    for (int number = 1;; ++number) {
        ServerRequest request;
        request.connection = connection;
        request.number_on_connection = number;
        if (!read_request(reader, request) || !handle(fd, std::move(request))) break;
    }
    ::close(fd);
}

/// @return whether the connection is kept
bool TestServer::handle(int fd, ServerRequest request) {
    {
        const std::lock_guard guard(mutex_);
        requests_.push_back(request);
    }
    const ServerReply reply = handler_(request);
    pollfd stop{stop_, POLLIN, 0};
    if (reply.delay.count() > 0 && ::poll(&stop, 1, static_cast<int>(reply.delay.count())) != 0) return false;
    switch (reply.manner) {
        case ServerReply::Manner::close: return false;
        case ServerReply::Manner::reset: {
            const linger now{1, 0};
            ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            return false;
        }
        case ServerReply::Manner::garbage: send_all(fd, "220 mail.example ESMTP\r\n"); return false;
        case ServerReply::Manner::close_mid_head: send_all(fd, "HTTP/1.1 201 Created\r\nContent-Type: te"); return false;
        case ServerReply::Manner::close_mid_body:
            send_all(fd, answer_head(reply));
            send_all(fd, std::string_view(reply.body).substr(0, reply.body.size() / 2));
            return false;
        case ServerReply::Manner::stall_mid_body:
            send_all(fd, answer_head(reply));
            send_all(fd, std::string_view(reply.body).substr(0, reply.body.size() / 2));
            ::poll(&stop, 1, -1);
            return false;
        case ServerReply::Manner::stall_after_interim:
            send_all(fd, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n");
            ::poll(&stop, 1, -1);
            return false;
        case ServerReply::Manner::answer: break;
    }
    send_all(fd, request.method == "HEAD" ? answer_head(reply) : answer_head(reply) + reply.body);
    return true;
}

}  // namespace lockstep::testing
