#pragma once
// One exchange inside an HttpClient: http_transfer_request.cpp tells libcurl what to send, http_transfer.cpp sends it and says
// what came of it.

#include <array>
#include <optional>
#include <string>

#include "sys/curl_api.hpp"
#include "sys/http_answer.hpp"
#include "sys/http_body_file.hpp"
#include "sys/http_client.hpp"

namespace lockstep {

/// libcurl's two handles, used again for every exchange.
struct CurlHandles {
    const CurlApi* curl = nullptr;
    CURLM* multi = nullptr;  // keeps the connections
    CURL* easy = nullptr;    // reset when a request of another kind comes, which costs less than a new one
    std::string kind;        // of the last request; empty: to be reset in any case
    std::array<char, CURL_ERROR_SIZE> error{};

    CurlHandles() = default;
    CurlHandles(const CurlHandles&) = delete;
    CurlHandles& operator=(const CurlHandles&) = delete;
    ~CurlHandles() {
        if (easy != nullptr) curl->easy_cleanup(easy);
        if (multi != nullptr) curl->multi_cleanup(multi);
    }

    template <class Value>
    CURLcode set(CURLoption option, Value value) const {
        return curl->easy_setopt(easy, option, value);
    }
};

/// One exchange: what libcurl needs for it and must keep until it is over.
class HttpTransfer {
  public:
    HttpTransfer(CurlHandles& handles, const HttpRequest& request)
        : handles_(handles), curl_(*handles.curl), request_(request) {}
    HttpTransfer(const HttpTransfer&) = delete;
    HttpTransfer& operator=(const HttpTransfer&) = delete;
    ~HttpTransfer() {
        curl_.slist_free_all(headers_);
        curl_.mime_free(mime_);
    }

    /// @return why the request cannot even be tried
    std::optional<HttpFailure> prepare(Millis timeout);
    HttpExchange run(Millis timeout, const Interrupt* cut);

  private:
    std::string kind() const;
    static int count_request(void* transfer, char* to, char* from, int to_port, int from_port);
    void set_manners();
    void set_exchange(Millis timeout);
    std::optional<std::string> set_method_and_body();
    std::optional<std::string> set_multipart();
    void set_headers(bool with_body);
    void add_header(const std::string& line);

    /// An option that an older libcurl does not know is no failure; one that there was no memory for is.
    template <class Value>
    void set(CURLoption option, Value value) {
        check(handles_.set(option, value));
    }
    void check(CURLcode code) { no_memory_ = no_memory_ || code == CURLE_OUT_OF_MEMORY; }

    bool drive(const Interrupt* cut, CURLcode& result);
    HttpFailure failure(CURLcode code, Millis timeout) const;
    bool something_was_sent() const;
    std::string describe_time_out(bool sent, Millis timeout) const;

    CurlHandles& handles_;
    const CurlApi& curl_;
    const HttpRequest& request_;
    curl_slist* headers_ = nullptr;
    curl_mime* mime_ = nullptr;
    HttpBodyFile file_;
    IncomingAnswer incoming_;
    int times_sent_ = 0;
    bool times_are_counted_ = false;
    bool no_memory_ = false;  // for a part of the request: what would be sent is not what was asked for
};

}  // namespace lockstep
