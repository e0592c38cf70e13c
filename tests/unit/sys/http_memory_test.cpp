// A request of which a part found no memory is not sent without it.

#include <catch2/catch.hpp>
#include <cstdarg>

#include "http_support.hpp"
#include "sys/http_transfer.hpp"

using namespace lockstep;
using namespace lockstep::testing;

namespace {

curl_slist* no_list(curl_slist*, const char*) { return nullptr; }
curl_mime* no_mime(CURL*) { return nullptr; }

CURLcode no_method(CURL* easy, CURLoption option, ...) {
    if (option == CURLOPT_CUSTOMREQUEST) return CURLE_OUT_OF_MEMORY;
    va_list rest;
    va_start(rest, option);
    void* value = va_arg(rest, void*);
    va_end(rest);
    return (*curl_api())->easy_setopt(easy, option, value);
}

HttpExchange exchange(CurlHandles& handles, const HttpRequest& request) {
    HttpTransfer transfer(handles, request);
    if (auto failure = transfer.prepare(kPatience)) return {false, {}, *failure};
    return transfer.run(kPatience, nullptr);
}

}  // namespace

TEST_CASE("a request is not sent without its key, its method or its parts where there is no memory for them", "[http]") {
    TestServer server([](const ServerRequest&) { return ServerReply{}; });
    HttpRequest request = request_to("DELETE", server.url("/"));
    request.headers = {{"Idempotency-Key", "k1"}};
    REQUIRE(curl_api());
    const CurlApi& real = **curl_api();
    CurlApi curl = real;
    CurlHandles handles;
    handles.curl = &curl;
    handles.multi = real.multi_init();
    handles.easy = real.easy_init();
    SECTION("its key") { curl.slist_append = &no_list; }
    SECTION("its method") { curl.easy_setopt = &no_method; }
    SECTION("its parts") {
        request.parts = {{"a", "b", "", ""}};
        curl.mime_init = &no_mime;
    }
    const HttpExchange none = exchange(handles, request);
    CHECK_FALSE(none.answered);
    CHECK(none.failure.kind == HttpFailure::Kind::not_sent);
    CHECK(none.failure.text == "no memory for the request");
    CHECK(server.requests().empty());

    curl = real;
    CHECK(exchange(handles, request).answered);
    REQUIRE(server.requests().size() == 1);
    CHECK(server.requests().front().method == "DELETE");
}
