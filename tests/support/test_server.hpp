#pragma once
// An HTTP/1.1 server for tests, that answers as it is told and fails in the ways that real ones do: slowly, half, not at all.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lockstep::testing {

struct ServerRequest {
    std::string method;
    std::string target;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    int connection = 0;            ///< 1, 2, …: which connection it came over
    int number_on_connection = 0;  ///< 1, 2, …

    /// The header's value (names compared without case), or "".
    std::string header(std::string_view name) const;
};

struct ServerReply {
    enum class Manner {
        answer,               ///< a whole answer
        close,                ///< the connection is closed before a byte of the answer
        reset,                ///< the same, by RST
        close_mid_head,       ///< half of the headers, then the end
        close_mid_body,       ///< half of the body, then the end
        stall_mid_body,       ///< half of the body, and nothing more
        stall_after_interim,  ///< an interim answer (103), and nothing more
        garbage,              ///< something that is not HTTP
    };
    int status = 200;
    std::string body{};
    std::vector<std::pair<std::string, std::string>> headers{};
    Manner manner = Manner::answer;
    std::chrono::milliseconds delay{0};  ///< before the first byte; cut short by the server's end
};

/// Listens on 127.0.0.1, on a free port; one thread a connection. Its end closes everything.
class TestServer {
  public:
    using Handler = std::function<ServerReply(const ServerRequest&)>;

    explicit TestServer(Handler handler);
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;
    ~TestServer();

    std::uint16_t port() const { return port_; }
    std::string url(const std::string& target) const;

    /// All requests that have been read as a whole so far.
    std::vector<ServerRequest> requests() const;
    /// Waits until `count` requests have been read. False after ten seconds.
    bool wait_for_requests(std::size_t count) const;
    /// From now on new connections are refused; those that exist stay.
    void stop_listening();

  private:
    void accept_loop();
    void serve(int fd, int connection);
    bool handle(int fd, ServerRequest request);

    Handler handler_;
    int listener_ = -1;
    int stop_ = -1;  ///< eventfd, readable once the server ends
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::vector<ServerRequest> requests_;
    std::vector<std::thread> workers_;
    std::mutex listening_mutex_;
    std::atomic<bool> listening_{true};
    std::thread acceptor_;
};

}  // namespace lockstep::testing
