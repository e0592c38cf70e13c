#include "sys/http_client.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "support/test_server.hpp"
#include "sys/subprocess.hpp"

using namespace lockstep;
using namespace lockstep::testing;
using namespace std::chrono_literals;
using Kind = HttpFailure::Kind;

namespace {

constexpr Millis kPatience{20'000};

HttpClient new_client() {
    auto client = HttpClient::create();
    REQUIRE(client);
    return std::move(*client);
}

HttpRequest request_to(std::string method, std::string url) {
    HttpRequest request;
    request.method = std::move(method);
    request.url = std::move(url);
    return request;
}

HttpRequest post(std::string url, std::string body) {
    HttpRequest request = request_to("POST", std::move(url));
    request.body = std::move(body);
    request.has_body = true;
    return request;
}

struct TempDir {
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "lockstep-http-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~TempDir() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path / name) << text;
        return (path / name).string();
    }
    std::filesystem::path path;
};

ServerReply reply_with(ServerReply::Manner manner) {
    ServerReply reply;
    reply.manner = manner;
    reply.body = "half of this is missing";
    return reply;
}

/// A port on which nobody listens.
std::string dead_url() {
    TestServer server([](const ServerRequest&) { return ServerReply{}; });
    return server.url("/");
}

}  // namespace

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
    const TempDir directory;
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
        request.body_file = directory.path / "none";
        HttpExchange exchange = client.exchange(request, kPatience, nullptr);
        CHECK_FALSE(exchange.answered);
        CHECK(exchange.failure.kind == Kind::not_sent);
        CHECK(exchange.failure.text == "reading the body file " + request.body_file + ": No such file or directory");

        request.body_file.clear();
        request.parts = {{"directory", "", directory.path, ""}};
        exchange = client.exchange(request, kPatience, nullptr);
        CHECK(exchange.failure.kind == Kind::not_sent);
        CHECK(server.requests().empty());
    }
}

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
        REQUIRE(client.exchange(pay, kPatience, nullptr).answered);
        CHECK(times_paid() == 2);
    }
    SECTION("a fresh connection prevents it") {
        pay.fresh_connection = true;
        REQUIRE(client.exchange(pay, kPatience, nullptr).answered);
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
        CHECK(failure("http://[::/", kPatience).kind == Kind::not_sent);
        CHECK(failure("file:///etc/passwd", kPatience).kind == Kind::not_sent);
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

TEST_CASE("a connection that ends before the whole answer leaves the request's fate open", "[http]") {
    const auto manner = GENERATE(ServerReply::Manner::close, ServerReply::Manner::reset, ServerReply::Manner::close_mid_body,
                                 ServerReply::Manner::garbage);
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
        auto running = std::async(std::launch::async, [&] { return client.exchange(post(server.url("/"), "x"), 60s, &*cut); });
        REQUIRE(server.wait_for_requests(1));
        const auto start = monotonic_now();
        cut->fire();
        const HttpExchange exchange = running.get();
        CHECK(monotonic_now() - start < 1s);
        CHECK(exchange.failure.kind == Kind::cut);
        CHECK(exchange.failure.sent);
    }
    SECTION("at once, when it has fired before") {
        cut->fire();
        const auto start = monotonic_now();
        CHECK(client.exchange(post(server.url("/"), "x"), 60s, &*cut).failure.kind == Kind::cut);
        CHECK(monotonic_now() - start < 1s);
    }
    // The client goes on working, on a connection that knows nothing of the aborted exchange.
    TestServer other([](const ServerRequest&) { return ServerReply{.body = "fine"}; });
    CHECK(client.exchange(request_to("GET", other.url("/")), kPatience, nullptr).response.body == "fine");
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

TEST_CASE("an answer that is too large is broken off", "[http]") {
    TestServer server([](const ServerRequest&) { return ServerReply{.body = std::string(kLargestBody + 1, 'x')}; });
    const HttpExchange exchange = new_client().exchange(request_to("GET", server.url("/")), 60s, nullptr);
    REQUIRE_FALSE(exchange.answered);
    CHECK(exchange.failure.kind == Kind::broken);
    CHECK(exchange.failure.text == "answer larger than 64 MiB");
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

TEST_CASE("a server whose certificate nobody vouches for gets nothing", "[http][tls]") {
    const TempDir directory;
    const auto run = [&](std::vector<std::string> argv) {
        SpawnRequest request;
        request.argv = std::move(argv);
        request.cwd = directory.path;
        const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        request.stdout_fd = request.stderr_fd = null.get();
        auto child = Subprocess::spawn(request);
        REQUIRE(child);
        return child->wait().exit_status;
    };
    REQUIRE(
        run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem",
             "-out", "cert.pem", "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"}) == 0);

    SpawnRequest request;
    request.argv = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem", "-www"};
    request.cwd = directory.path;
    const UniqueFd log(::open((directory.path / "log").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0600));
    request.stdout_fd = request.stderr_fd = log.get();
    auto server = Subprocess::spawn(request);
    REQUIRE(server);
    std::string text;
    const auto end = monotonic_now() + 20s;
    std::size_t at = std::string::npos;
    while (monotonic_now() < end && !server->has_ended()) {
        std::ifstream in(directory.path / "log");
        text.assign(std::istreambuf_iterator<char>(in), {});
        at = text.find("ACCEPT 127.0.0.1:");
        if (at != std::string::npos && text.find('\n', at) != std::string::npos) break;
        ::poll(nullptr, 0, 10);
    }
    if (at == std::string::npos) server->signal_group(SIGKILL);
    INFO(text);
    REQUIRE(at != std::string::npos);
    const std::string port = std::to_string(std::stoi(text.substr(at + 17)));
    const HttpExchange exchange = new_client().exchange(post("https://127.0.0.1:" + port + "/", "secret"), kPatience, nullptr);
    server->signal_group(SIGKILL);
    server->wait();
    REQUIRE_FALSE(exchange.answered);
    CHECK(exchange.failure.kind == Kind::not_sent);
    CHECK_FALSE(exchange.failure.sent);
    CHECK(exchange.failure.text.find("certificate") != std::string::npos);
}
