// Items that a command or a GET lists.

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "item_source_fixture.hpp"
#include "items/url.hpp"

namespace lockstep::test {
namespace {

Template text(const std::string& source) { return parse_template(source).value(); }

ItemsSpec::Command shell(const std::string& script, const std::string& cwd) {
    ItemsSpec::Command command;
    command.command.argv = {text("/bin/sh"), text("-c"), text(script)};
    command.command.cwd = cwd;
    command.timeout = Millis{20'000};
    return command;
}

TEST_CASE_METHOD(ItemsFixture, "a command lists items on its stdout, one a line", "[items]") {
    items_from(shell("printf '%s\\n' '{\"id\":1}' oops '{\"id\":2}'", directory));
    const All all = read_all();
    INFO((all.error ? all.error->text : ""));
    REQUIRE_FALSE(all.error);
    CHECK(all.keys() == "1 2");
    REQUIRE(all.bad.size() == 1);
    CHECK_THAT(all.bad[0].what, Catch::StartsWith("/bin/sh (stdout):2:"));
}

TEST_CASE_METHOD(ItemsFixture, "a command that fails lists nothing, whatever it printed", "[items]") {
    items_from(shell("echo '{\"id\":1}'; exit 3", directory));
    const All all = read_all();
    CHECK(all.items.empty());
    REQUIRE(all.error);
    CHECK(all.error->failure == Failure::items);
    CHECK_THAT(all.error->text, Catch::Contains("/bin/sh") && Catch::Contains("3"));
}

TEST_CASE_METHOD(ItemsFixture, "a command that is not there is named", "[items]") {
    ItemsSpec::Command command;
    command.command.argv = {text("./no-such-lister")};
    command.command.cwd = directory;
    command.timeout = Millis{20'000};
    items_from(command);
    const All all = read_all();
    REQUIRE(all.error);
    CHECK(all.error->failure == Failure::items);
    CHECK_THAT(all.error->text, Catch::Contains("no-such-lister"));
}

TEST_CASE_METHOD(ItemsFixture, "a stop cuts a command that lists items", "[items]") {
    items_from(shell("exec sleep 1000", directory));
    const All all = read_all_stopped_at(started);
    REQUIRE(all.error);
    CHECK(all.error->failure == Failure::stopped);
}

/// An HTTP server with one answer a path; an unknown path is never answered.
class PageServer {
  public:
    PageServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), done_(Interrupt::create().value()) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(listener_.get(), 8) == 0);
        REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    }
    ~PageServer() {
        done_.fire();
        if (thread_.joinable()) thread_.join();
    }
    PageServer(const PageServer&) = delete;
    PageServer& operator=(const PageServer&) = delete;

    void page(const std::string& target, const std::string& body, int status = 200) { pages_[target] = {status, body}; }
    /// Before it is answered as it should be.
    void failing(const std::string& target, int times, int status, const std::string& header = "") {
        failing_[target] = {times, status, header};
    }
    void start() {
        thread_ = std::thread([this] { serve(); });
    }
    std::vector<std::string> targets() const { return targets_; }  // after the last answer
    std::atomic<int> asked = 0;
    std::string url;

  private:
    bool readable(int fd) const {
        std::array<pollfd, 2> fds{{{fd, POLLIN, 0}, {done_.fd(), POLLIN, 0}}};
        ::poll(fds.data(), fds.size(), -1);
        return !done_.fired();
    }
    void serve() {
        while (readable(listener_.get())) {
            const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            std::string request;
            std::array<char, 4096> buffer{};
            while (request.find("\r\n\r\n") == std::string::npos && readable(peer.get())) {
                const ssize_t got = ::read(peer.get(), buffer.data(), buffer.size());
                if (got <= 0) break;
                request.append(buffer.data(), static_cast<std::size_t>(got));
            }
            if (!request.starts_with("GET ")) continue;
            targets_.push_back(request.substr(4, request.find(' ', 4) - 4));
            ++asked;
            const auto found = pages_.find(targets_.back());
            if (found == pages_.end()) {
                (void)readable(peer.get());  // until the client gives up
                continue;
            }
            auto [status, body] = found->second;
            std::string header;
            if (auto& failing = failing_[targets_.back()]; failing.times-- > 0) {
                status = failing.status;
                header = failing.header;
            }
            const std::string answer =
                "HTTP/1.1 " + std::to_string(status) + " X\r\n" + header +
                "Content-Type: application/json\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body;
            (void)!::write(peer.get(), answer.data(), answer.size());
        }
    }

    UniqueFd listener_;
    Interrupt done_;
    std::map<std::string, std::pair<int, std::string>> pages_;
    struct Failing {
        int times = 0;
        int status = 0;
        std::string header;
    };
    std::map<std::string, Failing> failing_;
    std::vector<std::string> targets_;
    std::thread thread_;
};

class PagesFixture : public ItemsFixture {
  public:
    void list(const std::string& target, const char* next = "$response.body#/next") {
        ItemsSpec::Http http;
        http.request.method = "GET";
        http.request.url = text(server.url + target);
        http.request.query.push_back({"from", text("$params.warehouse")});
        http.select = parse_expression("$response.body#/data").value();
        http.next = parse_expression(next).value();
        http.timeout = Millis{20'000};
        items_from(http);
        server.start();
    }
    PageServer server;
};

TEST_CASE_METHOD(PagesFixture, "a GET lists items page by page", "[items]") {
    server.page("/v1/orders?from=north", R"({"data":[{"id":1},{"id":2}],"next":"orders?page=2"})");
    server.page("/v1/orders?page=2", R"({"data":[],"next":")" + server.url + R"(/v1/orders?page=3"})");
    server.page("/v1/orders?page=3", R"({"data":[{"id":3},5,{"id":1}],"next":"/last"})");
    server.page("/last", std::string(R"({"data":[{"id":4}])") + GENERATE(R"(,"next":null})", R"(,"next":""})", "}"));
    list("/v1/orders");
    const All all = read_all();
    INFO((all.error ? all.error->text : ""));
    REQUIRE_FALSE(all.error);
    CHECK(all.keys() == "1 2 3 4");
    REQUIRE(all.bad.size() == 2);
    CHECK_THAT(all.bad[0].what, Catch::Contains("/v1/orders?page=3: item 2: an item must be a JSON object, not 5"));
    CHECK_THAT(all.bad[1].what, Catch::Contains("the key \"1\" was there before"));
}

TEST_CASE_METHOD(PagesFixture, "a Link header names the next page", "[items]") {
    server.page("/a?from=north", R"({"data":[{"id":1}]})");
    server.failing("/a?from=north", 1, 200, "Link: </a?page=9>; rel=\"last\"\r\nLink: <a?page=2>; rel=\"next\"\r\n");
    server.page("/a?page=2", R"({"data":[{"id":2}]})");
    server.failing("/a?page=2", 1, 200, "Link: </a?page=1>; rel=\"prev\"\r\n");
    list("/a", "$response.header.link");
    const All all = read_all();
    INFO((all.error ? all.error->text : ""));
    CHECK_FALSE(all.error);
    CHECK(all.keys() == "1 2");
}

TEST_CASE_METHOD(PagesFixture, "the first page's URL without its query is another page", "[items]") {
    server.page("/a?from=north", R"({"data":[{"id":1}],"next":"/a"})");
    server.page("/a", R"({"data":[{"id":2}]})");
    list("/a");
    const All all = read_all();
    CHECK_FALSE(all.error);
    CHECK(all.keys() == "1 2");
}

TEST_CASE_METHOD(PagesFixture, "a page that fails for a moment is asked for again, in the middle of a listing, too",
                 "[items]") {
    server.page("/a?from=north", R"({"data":[{"id":1}],"next":"/b"})");
    server.page("/b", R"({"data":[{"id":2}]})");
    server.failing("/a?from=north", 1, GENERATE(408, 429, 500, 502, 503), "Retry-After: 0\r\n");
    server.failing("/b", 2, 504);
    list("/a");
    const All all = read_all();
    INFO((all.error ? all.error->text : ""));
    CHECK_FALSE(all.error);
    CHECK(all.keys() == "1 2");
    CHECK(server.asked == 5);
}

TEST_CASE_METHOD(PagesFixture, "a page is not asked for again where that is of no use, or sooner than its server wants",
                 "[items]") {
    const auto [status, header] = GENERATE(table<int, const char*>({{404, ""}, {301, ""}, {503, "Retry-After: 60\r\n"}}));
    server.page("/a?from=north", R"({"data":[{"id":1}]})");
    server.failing("/a?from=north", 1, status, header);
    list("/a");
    const All all = read_all();
    REQUIRE(all.error);
    CHECK_THAT(all.error->text, Catch::Contains(": " + std::to_string(status)));
    CHECK(server.asked == 1);
}

TEST_CASE_METHOD(PagesFixture, "a stop ends the pause before a page is asked for again", "[items]") {
    server.page("/a?from=north", "{}");
    server.failing("/a?from=north", 9, 503, "Retry-After: 9\r\n");
    list("/a");
    const All all = read_all_stopped_at(server.asked);
    REQUIRE(all.error);
    CHECK(all.error->failure == Failure::stopped);
}

TEST_CASE_METHOD(PagesFixture, "a page that is no page of items is an error that names it", "[items]") {
    const auto [body, status, says] = GENERATE(table<const char*, int, const char*>(
        {{"{}", 503, ": 503 "},
         {"{\"data\":[]}", 301, ": 301 "},
         {"<html>", 200, "not JSON"},
         {"{\"data\":{}}", 200, "`select` ($response.body#/data) finds no array"},
         {"{\"data\":[],\"next\":7}", 200, "`next` ($response.body#/next) is not a URL: 7"},
         {"{\"data\":[],\"next\":\"http://user@127.0.0.1:1/\"}", 200,
          "the next page is on another server (http://127.0.0.1:1)"},
         {"{\"data\":[],\"next\":\"/a\"}", 200, "`next` goes in a circle"}}));
    server.page("/a?from=north", body, status);
    server.page("/a", body, status);
    list("/a");
    const All all = read_all();
    REQUIRE(all.error);
    CHECK(all.error->failure == Failure::items);
    CHECK_THAT(all.error->text, Catch::Contains(says) && Catch::Contains(server.url + "/a"));
}

TEST_CASE_METHOD(PagesFixture, "a server that is not there is named", "[items]") {
    list("/a");
    std::get<ItemsSpec::Http>(job.items->source).request.url = text("http://127.0.0.1:1/a");
    const All all = read_all();
    REQUIRE(all.error);
    CHECK(all.error->failure == Failure::items);
    CHECK_THAT(all.error->text, Catch::Contains("http://127.0.0.1:1/a"));
}

TEST_CASE_METHOD(PagesFixture, "a stop cuts a GET that lists items", "[items]") {
    list("/never");
    const All all = read_all_stopped_at(server.asked);
    REQUIRE(all.error);
    CHECK(all.error->failure == Failure::stopped);
}

TEST_CASE("a reference is resolved as RFC 3986 5.4 shows", "[items]") {
    const std::string base = "http://a/b/c/d;p?q";
    const std::vector<std::pair<std::string, std::string>> examples = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"https://h/x", "https://h/x"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"?u=http://x/", "http://a/b/c/d;p?u=http://x/"},
    };
    for (const auto& [reference, expected] : examples) {
        INFO(reference);
        CHECK(resolve_url(base, reference) == expected);
    }
    CHECK(resolve_url("http://a", "x?y") == "http://a/x?y");
    CHECK(url_origin("HTTPS://user:pw@Host:443/x") == "https://host");
    CHECK(url_origin("http://host:8080?x") == "http://host:8080");
    CHECK(url_for_people("http://user:pw@host/x?y") == "http://host/x?y");
}

}  // namespace
}  // namespace lockstep::test
