#include "sys/http_client.hpp"

#include "sys/http_transfer.hpp"

namespace lockstep {

struct HttpClient::State {
    CurlHandles handles;
};

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::create() {
    const auto curl = curl_api();
    if (!curl) return std::unexpected(curl.error());
    auto state = std::make_unique<State>();
    CurlHandles& handles = state->handles;
    handles.curl = *curl;
    handles.multi = handles.curl->multi_init();
    handles.easy = handles.curl->easy_init();
    if (handles.multi == nullptr || handles.easy == nullptr) return fail(Failure::os, "making a libcurl handle: no memory");
    return HttpClient(std::move(state));
}

HttpExchange HttpClient::exchange(const HttpRequest& request, Millis timeout, const Interrupt* cut) {
    HttpTransfer transfer(state_->handles, request);
    if (auto failure = transfer.prepare(timeout)) {
        HttpExchange exchange;
        exchange.failure = std::move(*failure);
        return exchange;
    }
    return transfer.run(timeout, cut);
}

}  // namespace lockstep
