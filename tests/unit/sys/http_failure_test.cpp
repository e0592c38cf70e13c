#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <vector>

#include "http_support.hpp"
#include "sys/unique_fd.hpp"

using namespace lockstep;
using namespace lockstep::testing;
using namespace std::chrono_literals;
using Kind = HttpFailure::Kind;

TEST_CASE("connections are kept, but not for a request that asks for a fresh one", "[http]") {
    TestServer server([](const ServerRequest&) { return ServerReply{}; });
    HttpClient client = new_client();
    HttpRequest request = request_to("GET", server.url("/"));
    for (int i = 0; i < 3; ++i) REQUIRE(client.exchange(request, kPatience, nullptr).answered);
    CHECK(server.requests()[2].connection == 1);
    CHECK(server.requests()[2].number_on_connection == 3);
    request.fresh_connection = true;
    REQUIRE(client.exchange(request, kPatience, nullptr).answered);
    CHECK(server.requests()[3].connection == 2);
}

TEST_CASE("a request on a fresh connection reaches the server once, whatever happens there", "[http][resend]") {
    // The server takes a request on a connection that was used before, and closes without a word.
    TestServer server([](const ServerRequest& request) {
        return request.target == "/pay" && request.number_on_connection > 1 ? reply_with(ServerReply::Manner::close)
                                                                            : ServerReply{};
    });
    HttpClient client = new_client();
    REQUIRE(client.exchange(request_to("GET", server.url("/")), kPatience, nullptr).answered);
    HttpRequest pay = post(server.url("/pay"), "100");
    const auto times_paid = [&] { return std::ranges::count(server.requests(), std::string("/pay"), &ServerRequest::target); };

    SECTION("the fault: on a reused connection libcurl itself sends it twice") {
        const HttpExchange exchange = client.exchange(pay, kPatience, nullptr);
        REQUIRE(exchange.answered);
        CHECK(exchange.sent_twice);
        CHECK(times_paid() == 2);
        CHECK_FALSE(client.exchange(request_to("GET", server.url("/")), kPatience, nullptr).sent_twice);
    }
    SECTION("a fresh connection prevents it") {
        pay.fresh_connection = true;
        const HttpExchange exchange = client.exchange(pay, kPatience, nullptr);
        REQUIRE(exchange.answered);
        CHECK_FALSE(exchange.sent_twice);
        CHECK(times_paid() == 1);
    }
}

TEST_CASE("a fresh connection that the server closes is not tried again", "[http][resend]") {
    TestServer server([](const ServerRequest&) { return reply_with(ServerReply::Manner::close); });
    HttpRequest pay = post(server.url("/pay"), "100");
    pay.fresh_connection = true;
    const HttpExchange exchange = new_client().exchange(pay, kPatience, nullptr);
    CHECK_FALSE(exchange.answered);
    CHECK(exchange.failure.kind == Kind::broken);
    CHECK(exchange.failure.sent);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("when nobody can be reached, nothing was sent", "[http][not_sent]") {
    HttpClient client = new_client();
    const auto failure = [&](const std::string& url, Millis timeout) {
        const HttpExchange exchange = client.exchange(request_to("GET", url), timeout, nullptr);
        REQUIRE_FALSE(exchange.answered);
        return exchange.failure;
    };
    SECTION("a port without a listener") {
        const HttpFailure refused = failure(dead_url(), kPatience);
        CHECK(refused.kind == Kind::not_sent);
        CHECK_FALSE(refused.sent);
        CHECK(refused.text.find("Connection refused") != std::string::npos);
    }
    SECTION("a name that does not exist") { CHECK(failure("http://no-such-host.invalid/", kPatience).kind == Kind::not_sent); }
    SECTION("a URL that is none, or not of HTTP") {
        CHECK(failure("http://[::/", kPatience).kind == Kind::not_made);
        CHECK(failure("file:///etc/passwd", kPatience).kind == Kind::not_made);
    }
    SECTION("a connection that does not come about in time") {
        // A listener whose queue is full: the kernel drops what else asks to be let in.
        const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(listener.get(), generic, length) == 0);
        REQUIRE(::listen(listener.get(), 0) == 0);
        REQUIRE(::getsockname(listener.get(), generic, &length) == 0);
        std::vector<UniqueFd> fillers;
        for (int i = 0; i < 4; ++i) {
            fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            ::connect(fillers.back().get(), generic, length);
        }
        const HttpFailure late = failure("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/", 300ms);
        CHECK(late.kind == Kind::not_sent);
        CHECK(late.text == "no connection within 300ms");
    }
}

TEST_CASE("an answer that does not come in time leaves the request's fate open", "[http]") {
    TestServer server([](const ServerRequest&) { return ServerReply{.body = "late", .delay = 60s}; });
    const HttpExchange exchange = new_client().exchange(post(server.url("/"), "x"), 300ms, nullptr);
    REQUIRE_FALSE(exchange.answered);
    CHECK(exchange.failure.kind == Kind::timed_out);
    CHECK(exchange.failure.sent);
    CHECK(exchange.failure.text == "no answer within 300ms");
}

TEST_CASE("an answer whose body does not end in time is told as one, and leaves the request's fate open", "[http]") {
    TestServer server([](const ServerRequest&) { return reply_with(ServerReply::Manner::stall_mid_body); });
    HttpClient client = new_client();
    HttpFailure failure;
    // On a busy machine what comes of it may need longer.
    for (Millis limit = 300ms; limit < kPatience && !failure.text.ends_with("(11 bytes came)"); limit *= 2) {
        const HttpExchange exchange = client.exchange(post(server.url("/"), "x"), limit, nullptr);
        REQUIRE_FALSE(exchange.answered);
        failure = exchange.failure;
        CHECK(failure.kind == Kind::timed_out);
        CHECK(failure.sent);
    }
    CHECK(failure.text.starts_with("status 200, but its body did not end within "));
    CHECK(failure.text.ends_with(" (11 bytes came)"));
}

TEST_CASE("an interim answer alone is no answer", "[http]") {
    TestServer server([](const ServerRequest&) { return reply_with(ServerReply::Manner::stall_after_interim); });
    const HttpExchange exchange = new_client().exchange(post(server.url("/"), "x"), 300ms, nullptr);
    REQUIRE_FALSE(exchange.answered);
    CHECK(exchange.failure.kind == Kind::timed_out);
    CHECK(exchange.failure.text == "no answer within 300ms");
}

TEST_CASE("a connection that ends before the whole answer leaves the request's fate open", "[http]") {
    const auto manner = GENERATE(ServerReply::Manner::close, ServerReply::Manner::reset, ServerReply::Manner::close_mid_head,
                                 ServerReply::Manner::close_mid_body, ServerReply::Manner::garbage);
    TestServer server([manner](const ServerRequest&) { return reply_with(manner); });
    HttpClient client = new_client();
    const HttpExchange exchange = client.exchange(post(server.url("/"), "x"), kPatience, nullptr);
    REQUIRE_FALSE(exchange.answered);
    CHECK(exchange.failure.kind == Kind::broken);
    CHECK(exchange.failure.sent);
    CHECK_FALSE(exchange.failure.text.empty());
}

TEST_CASE("a request that went out on a dying connection counts as sent, though no new connection could be made", "[http]") {
    TestServer* running = nullptr;
    TestServer server([&running](const ServerRequest& request) {
        if (request.number_on_connection == 1) return ServerReply{};
        running->stop_listening();
        return reply_with(ServerReply::Manner::close);
    });
    running = &server;
    HttpClient client = new_client();
    REQUIRE(client.exchange(request_to("GET", server.url("/")), kPatience, nullptr).answered);
    const HttpExchange exchange = client.exchange(request_to("PUT", server.url("/")), kPatience, nullptr);
    REQUIRE_FALSE(exchange.answered);
    CHECK(exchange.failure.sent);
    CHECK(exchange.failure.kind == Kind::broken);
    CHECK(server.requests().size() == 2);
}

TEST_CASE("a cut ends the exchange within milliseconds", "[http][cut]") {
    TestServer server([](const ServerRequest&) { return ServerReply{.delay = 60s}; });
    auto cut = Interrupt::create();
    REQUIRE(cut);
    HttpClient client = new_client();
    SECTION("in the middle") {
        Millis best{60'000};  // a busy machine may need more than one try to show it
        for (int i = 1; i <= 20 && best > 50ms; ++i) {
            auto again = Interrupt::create();
            REQUIRE(again);
            auto running =
                std::async(std::launch::async, [&] { return client.exchange(post(server.url("/"), "x"), 60s, &*again); });
            REQUIRE(server.wait_for_requests(static_cast<std::size_t>(i)));
            const auto start = monotonic_now();
            again->fire();
            const HttpExchange exchange = running.get();
            best = std::min(best, std::chrono::duration_cast<Millis>(monotonic_now() - start));
            CHECK(exchange.failure.kind == Kind::cut);
            CHECK(exchange.failure.sent);
        }
        CHECK(best <= 50ms);
    }
    SECTION("at once, when it has fired before") {
        cut->fire();
        CHECK(client.exchange(post(server.url("/"), "x"), 60s, &*cut).failure.kind == Kind::cut);
    }
    // The client goes on working, on a connection that knows nothing of the aborted exchange.
    TestServer other([](const ServerRequest&) { return ServerReply{.body = "fine"}; });
    CHECK(client.exchange(request_to("GET", other.url("/")), kPatience, nullptr).response.body == "fine");
}

TEST_CASE("an answer that is too large is broken off", "[http]") {
    TestServer server([](const ServerRequest&) { return ServerReply{.body = std::string(kLargestBody + 1, 'x')}; });
    const HttpExchange exchange = new_client().exchange(request_to("GET", server.url("/")), 60s, nullptr);
    REQUIRE_FALSE(exchange.answered);
    CHECK(exchange.failure.kind == Kind::broken);
    CHECK(exchange.failure.text == "answer larger than 64 MiB");
}

TEST_CASE("a header that is longer than libcurl takes is told as that", "[http]") {
    TestServer server([](const ServerRequest&) { return ServerReply{.headers = {{"X-Long", std::string(1U << 20U, 'x')}}}; });
    const HttpExchange exchange = new_client().exchange(post(server.url("/"), "x"), kPatience, nullptr);
    REQUIRE_FALSE(exchange.answered);
    CHECK(exchange.failure.kind == Kind::broken);
    CHECK(exchange.failure.sent);
    CHECK(exchange.failure.text.starts_with("a header of the answer is longer than libcurl takes (100 KiB)"));
}
