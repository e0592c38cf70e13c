#pragma once
// What the tests of the HTTP client share.

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "support/test_server.hpp"
#include "sys/http_client.hpp"

namespace lockstep::testing {

inline constexpr Millis kPatience{20'000};

inline HttpClient new_client() {
    auto client = HttpClient::create();
    REQUIRE(client);
    return std::move(*client);
}

inline HttpRequest request_to(std::string method, std::string url) {
    HttpRequest request;
    request.method = std::move(method);
    request.url = std::move(url);
    return request;
}

inline HttpRequest post(std::string url, std::string body) {
    HttpRequest request = request_to("POST", std::move(url));
    request.body = std::move(body);
    request.has_body = true;
    return request;
}

inline ServerReply reply_with(ServerReply::Manner manner) {
    ServerReply reply;
    reply.manner = manner;
    reply.body = "half of this is missing";
    return reply;
}

/// A port on which nobody listens.
inline std::string dead_url() {
    TestServer server([](const ServerRequest&) { return ServerReply{}; });
    return server.url("/");
}

}  // namespace lockstep::testing
