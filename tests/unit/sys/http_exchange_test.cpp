#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "http_support.hpp"
#include "support/temporary_directory.hpp"

using namespace lockstep;
using namespace lockstep::testing;
using namespace std::chrono_literals;
using Kind = HttpFailure::Kind;

TEST_CASE("an answer comes back with its status, headers and body", "[http]") {
    TestServer server([](const ServerRequest&) {
        return ServerReply{
            .status = 201, .body = R"({"id":7})", .headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}}};
    });
    const HttpExchange exchange = new_client().exchange(request_to("GET", server.url("/a?b=c")), kPatience, nullptr);
    REQUIRE(exchange.answered);
    CHECK(exchange.response.status == 201);
    CHECK(exchange.response.body == R"({"id":7})");
    REQUIRE(exchange.response.header("content-TYPE") != nullptr);
    CHECK(*exchange.response.header("content-TYPE") == "application/json");
    REQUIRE(exchange.response.header("X-Empty") != nullptr);
    CHECK(exchange.response.header("X-Empty")->empty());
    CHECK(exchange.response.header("X-None") == nullptr);
    CHECK(server.requests()[0].target == "/a?b=c");
    CHECK(server.requests()[0].header("User-Agent").starts_with("lockstep/"));
}

TEST_CASE("every method and every kind of body is sent as it is meant", "[http]") {
    TestServer server([](const ServerRequest&) { return ServerReply{.status = 200, .body = "seen"}; });
    HttpClient client = new_client();
    const auto sent = [&](HttpRequest request) {
        request.url = server.url("/");
        const HttpExchange exchange = client.exchange(request, kPatience, nullptr);
        INFO(exchange.failure.text);
        REQUIRE(exchange.answered);
        return server.requests().back();
    };
    SECTION("a body with its own content type, and no more headers than were asked for") {
        HttpRequest request = post("", R"({"a":1})");
        request.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}, {"Authorization", "Bearer t"}};
        const ServerRequest seen = sent(request);
        CHECK(seen.method == "POST");
        CHECK(seen.body == R"({"a":1})");
        CHECK(seen.header("Content-Type") == "application/json");
        CHECK(seen.header("Authorization") == "Bearer t");
        CHECK(seen.header("Expect").empty());
        CHECK(std::ranges::any_of(seen.headers, [](const auto& header) { return header.first == "X-Empty"; }));
    }
    SECTION("no content type is invented") { CHECK(sent(post("", "plain")).header("Content-Type").empty()); }
    SECTION("an empty body is announced where the method has one") {
        for (const char* method : {"POST", "PUT", "PATCH"}) {
            const ServerRequest seen = sent(request_to(method, ""));
            CHECK(seen.method == method);
            CHECK(seen.header("Content-Length") == "0");
        }
        CHECK(sent(request_to("DELETE", "")).header("Content-Length").empty());
        CHECK(server.requests().back().method == "DELETE");
    }
    SECTION("any method may carry a body") {
        HttpRequest request = post("", "what to delete");
        request.method = "DELETE";
        CHECK(sent(request).method == "DELETE");
        CHECK(server.requests().back().body == "what to delete");
    }
    SECTION("HEAD brings headers and no body") {
        const HttpExchange exchange = client.exchange(request_to("HEAD", server.url("/")), kPatience, nullptr);
        REQUIRE(exchange.answered);
        CHECK(exchange.response.body.empty());
        CHECK(server.requests().back().method == "HEAD");
    }
    SECTION("a large body is sent at once, without asking") {
        const std::string large(3 << 20, 'x');
        const ServerRequest seen = sent(post("", large));
        CHECK(seen.body == large);
        CHECK(seen.header("Expect").empty());
    }
    SECTION("one request leaves nothing behind in the next") {
        HttpRequest request = post("", "body");
        request.headers = {{"X-Mine", "1"}};
        sent(request);
        const ServerRequest seen = sent(request_to("GET", ""));
        CHECK(seen.method == "GET");
        CHECK(seen.body.empty());
        CHECK(seen.header("X-Mine").empty());
        CHECK(seen.header("Content-Length").empty());
    }
}

TEST_CASE("a body may come from a file or from parts", "[http]") {
    const TemporaryDirectory directory;
    const std::string file = directory.write("label.txt", "the label");
    TestServer server([](const ServerRequest&) { return ServerReply{}; });
    HttpClient client = new_client();

    SECTION("a file is the whole body") {
        HttpRequest request = request_to("PUT", server.url("/file"));
        request.body_file = file;
        REQUIRE(client.exchange(request, kPatience, nullptr).answered);
        CHECK(server.requests()[0].method == "PUT");
        CHECK(server.requests()[0].body == "the label");
        CHECK(server.requests()[0].header("Content-Length") == "9");
    }
    SECTION("parts are sent as multipart/form-data") {
        HttpRequest request = request_to("POST", server.url("/parts"));
        request.parts = {{"order", "o17", "", ""}, {"label", "", file, "text/plain"}};
        REQUIRE(client.exchange(request, kPatience, nullptr).answered);
        const ServerRequest seen = server.requests()[0];
        CHECK(seen.header("Content-Type").starts_with("multipart/form-data; boundary="));
        CHECK(seen.body.find("name=\"order\"\r\n\r\no17\r\n") != std::string::npos);
        CHECK(seen.body.find("name=\"label\"; filename=\"label.txt\"") != std::string::npos);
        CHECK(seen.body.find("the label") != std::string::npos);
    }
    SECTION("a file that cannot be read means that nothing was sent") {
        HttpRequest request = request_to("POST", server.url("/file"));
        request.body_file = directory / "none";
        HttpExchange exchange = client.exchange(request, kPatience, nullptr);
        CHECK_FALSE(exchange.answered);
        CHECK(exchange.failure.kind == Kind::not_made);
        CHECK(exchange.failure.text == "reading the body file " + request.body_file + ": No such file or directory");

        request.body_file.clear();
        request.parts = {{"directory", "", directory.path(), ""}};
        exchange = client.exchange(request, kPatience, nullptr);
        CHECK(exchange.failure.kind == Kind::not_made);
        CHECK(server.requests().empty());
    }
}

TEST_CASE("whatever kinds of requests follow each other, each is sent as if it were the first", "[http]") {
    const TemporaryDirectory directory;
    TestServer server([](const ServerRequest&) { return ServerReply{}; });
    std::vector<HttpRequest> kinds = {post("", "first"),        post("", "second body"),  request_to("GET", ""),
                                      request_to("HEAD", ""),   request_to("DELETE", ""), request_to("PUT", ""),
                                      request_to("POST", ""),   request_to("POST", ""),   request_to("GET", ""),
                                      request_to("DELETE", ""), request_to("PUT", "")};
    kinds[4].has_body = true;
    kinds[4].body = "what to delete";
    kinds[5].body_file = directory.write("label.txt", "the label");
    kinds[7].parts = {{"order", "o17", "", ""}};
    kinds[8].headers = {{"Accept-Encoding", "identity"}};
    for (HttpRequest& request : kinds) request.url = server.url("/");

    const auto seen_by = [&](HttpClient& client, const HttpRequest& request) {
        const HttpExchange exchange = client.exchange(request, kPatience, nullptr);
        INFO(exchange.failure.text);
        REQUIRE(exchange.answered);
        ServerRequest seen = server.requests().back();
        for (auto& [name, value] : seen.headers) {
            if (value.starts_with("multipart/")) value = "multipart";  // its boundary is a random one
        }
        if (!request.parts.empty()) seen.body = "parts";
        return seen;
    };
    HttpClient used = new_client();
    for (const HttpRequest& before : kinds) {
        for (const HttpRequest& request : kinds) {
            INFO(before.method << ", then " << request.method << " " << request.body);
            seen_by(used, before);
            const ServerRequest after = seen_by(used, request);
            HttpClient fresh = new_client();
            const ServerRequest alone = seen_by(fresh, request);
            CHECK(after.method == alone.method);
            CHECK(after.body == alone.body);
            CHECK(after.headers == alone.headers);
        }
    }
}

TEST_CASE("a redirect is an answer like any other", "[http]") {
    TestServer server([](const ServerRequest& request) {
        return request.target == "/" ? ServerReply{.status = 302, .headers = {{"Location", "/elsewhere"}}} : ServerReply{};
    });
    const HttpExchange exchange = new_client().exchange(request_to("GET", server.url("/")), kPatience, nullptr);
    REQUIRE(exchange.answered);
    CHECK(exchange.response.status == 302);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("a proxy in the environment changes nothing", "[http]") {
    TestServer server([](const ServerRequest&) { return ServerReply{.status = 204}; });
    const std::string proxy = dead_url();
    for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) ::setenv(name, proxy.c_str(), 1);
    const HttpExchange exchange = new_client().exchange(request_to("GET", server.url("/")), kPatience, nullptr);
    for (const char* name : {"http_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
    REQUIRE(exchange.answered);
    CHECK(exchange.response.status == 204);
}

TEST_CASE("several threads, each with a client, do not disturb each other", "[http][threads]") {
    TestServer server([](const ServerRequest& request) { return ServerReply{.body = request.body}; });
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            auto client = HttpClient::create();
            if (!client) return;
            for (int i = 0; i < 20; ++i) {
                const std::string body = std::to_string(t) + "-" + std::to_string(i);
                const HttpExchange exchange = client->exchange(post(server.url("/"), body), kPatience, nullptr);
                if (exchange.answered && exchange.response.body == body) ++right;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(right == 160);
}

TEST_CASE("a header that is folded over several lines is one header, a blank for each fold", "[http]") {
    TestServer server([](const ServerRequest&) {
        return ServerReply{
            .status = 200,
            .body = "whole",
            .headers = {
                {"X-A", "one\r\n two\r\n\tX-B: three \t"}, {"X-Empty", "\r\n   \r\n four"}, {"X-Last", "five\r\n \t "}}};
    });
    const HttpExchange exchange = new_client().exchange(request_to("GET", server.url("/")), kPatience, nullptr);
    REQUIRE(exchange.answered);
    REQUIRE(exchange.response.header("X-A") != nullptr);
    CHECK(*exchange.response.header("X-A") == "one two X-B: three");
    CHECK(exchange.response.header("X-B") == nullptr);
    CHECK(*exchange.response.header("X-Empty") == "four");
    CHECK(*exchange.response.header("X-Last") == "five");
    CHECK(exchange.response.body == "whole");
}
