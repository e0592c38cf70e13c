#pragma once
// One HTTP exchange at a time over libcurl, which is loaded (dlopen) by the first client, so that a process that never
// speaks HTTP does not pay for it. Never retries by itself, follows no redirect, verifies TLS.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/duration.hpp"
#include "base/error.hpp"
#include "sys/interrupt.hpp"

namespace lockstep {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// One part of a multipart/form-data body (RFC 7578).
struct HttpPart {
    std::string name;
    std::string value;         ///< the content, if `file` is empty
    std::string file;          ///< a path whose content is sent, with its last component as the file name
    std::string content_type;  ///< empty: libcurl's default
};

struct HttpRequest {
    std::string method;  ///< as it is sent, e.g. "POST"
    std::string url;     ///< complete, with its query, already percent-encoded
    HttpHeaders headers;
    std::string body;
    bool has_body = false;
    std::string body_file;        ///< a path whose content is the body, if not empty
    std::vector<HttpPart> parts;  ///< multipart body, if not empty
    std::string proxy;            ///< as CURLOPT_PROXY takes it; empty: none
    /// Use a connection that has carried nothing before. On a reused one libcurl itself sends a request again when the peer has
    /// closed it, which must not happen to a POST without an idempotency key.
    bool fresh_connection = false;
};

struct HttpResponse {
    int status = 0;
    HttpHeaders headers;  ///< in order, names as received
    std::string body;

    /// The first header of that name (case-insensitive, RFC 9110 5.1), or nullptr.
    const std::string* header(std::string_view name) const;
};

/// Why there is no (complete) response.
struct HttpFailure {
    enum class Kind {
        not_made,   ///< a file that cannot be read, a URL that is none: nobody was asked for anything
        not_sent,   ///< no connection, no name, TLS refused, no memory: not one byte of the request left
        timed_out,  ///< the attempt's time ran out after something may have been sent
        cut,        ///< `cut` fired
        broken,     ///< reset, closed early, garbage: whether the request took effect is unknown
    };
    Kind kind = Kind::broken;
    std::string text;
    bool sent = false;  ///< some byte of the request left, on whatever connection; false for every `not_made` and `not_sent`,
                        ///< either for `cut`
};

/// A transfer that ended without a response is an answer, not an error; hence two alternatives inside the value.
struct HttpExchange {
    bool answered = false;
    HttpResponse response;  ///< if answered
    HttpFailure failure;    ///< if not
    /// libcurl itself has sent it again, for a connection that was used before had closed without a word: what the answer says
    /// may be true of the second time alone.
    bool sent_twice = false;
};

/// The most that an answer's body may hold.
inline constexpr std::size_t kLargestBody = std::size_t{64} << 20U;

/// Used by one thread; keeps its connections alive between exchanges. HTTP/1.1 only: over HTTP/2 libcurl repeats a refused
/// stream by itself. No proxy but the request's, whatever the environment says: cron and the shell differ there. Libcurl raises
/// SIGPIPE nowhere on plain connections; a process that speaks TLS blocks it, as lockstep does from the first line of main.
class HttpClient {
  public:
    /// Error: Failure::os when libcurl cannot be loaded, naming the package.
    static Result<HttpClient> create();

    HttpClient(HttpClient&&) noexcept;
    HttpClient& operator=(HttpClient&&) noexcept;
    ~HttpClient();

    /// @param timeout  wall time of the whole exchange on the monotonic clock, connecting included
    /// @param cut      when it fires, the transfer is aborted at once; nullptr: nothing cuts it
    HttpExchange exchange(const HttpRequest& request, Millis timeout, const Interrupt* cut);

  private:
    struct State;
    explicit HttpClient(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace lockstep
