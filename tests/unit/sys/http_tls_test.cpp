#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <fstream>
#include <iterator>

#include "http_support.hpp"
#include "support/temporary_directory.hpp"
#include "sys/subprocess.hpp"

using namespace lockstep;
using namespace lockstep::testing;
using namespace std::chrono_literals;
using Kind = HttpFailure::Kind;

TEST_CASE("a server whose certificate nobody vouches for gets nothing", "[http][tls]") {
    const TemporaryDirectory directory;
    const auto run = [&](std::vector<std::string> argv) {
        SpawnRequest request;
        request.argv = std::move(argv);
        request.cwd = directory.path();
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
    request.cwd = directory.path();
    const UniqueFd log(::open((directory / "log").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0600));
    request.stdout_fd = request.stderr_fd = log.get();
    auto server = Subprocess::spawn(request);
    REQUIRE(server);
    std::string text;
    const auto end = monotonic_now() + 20s;
    std::size_t at = std::string::npos;
    while (monotonic_now() < end && !server->has_ended()) {
        std::ifstream in(directory / "log");
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
