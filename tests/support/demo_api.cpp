// The demo API: a shop with reservations and captures, for demonstrations and tests only. It listens on loopback, keeps its
// state in memory (with --state also in a file, so that it survives its own kill), honours idempotency keys, fails on request
// (see demo_api_faults.hpp), and tells in GET /ledger everything that was ever done, in order.
//
//     POST   /reservations {"order", …}        201 {"id", "order", …}       GET /reservations?order=O   GET /reservations/ID
//     POST   /captures {"reservation": ID, …}  201 {"id", …}                GET /captures?order=O
//     DELETE /reservations/ID                  204                          GET /orders?count=N&size=S&page=P: items in pages
//     GET    /ledger   DELETE /ledger          GET, POST, DELETE /faults    GET /health
//     GET    /progress: how many effects

#include <httplib.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include "support/demo_api_faults.hpp"
#include "support/demo_api_shop.hpp"

namespace demo {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

constexpr const char* kUsage =
    "usage: demo_api [--port N] [--port-file FILE] [--threads N] [--delay MS] [--state FILE]\n"
    "  --port N          port on 127.0.0.1, default 8080; 0: any free one\n"
    "  --port-file FILE  write the port there, once requests are taken\n"
    "  --threads N       connections served at once, default 64\n"
    "  --delay MS        how long each write takes, default 0\n"
    "  --state FILE      append each effect there, and begin with what it holds\n";

struct Options {
    int port = 8080;
    std::string port_file;
    std::size_t threads = 64;
    std::int64_t delay_ms = 0;
    std::string state_file;
};

/// The library hides a request's socket; of our descriptors it is the one whose peer is the request's.
int socket_of(const Request& request) {
    for (int fd = 3; fd < 4096; ++fd) {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.sin_family != AF_INET) continue;
        if (ntohs(peer.sin_port) == request.remote_port) return fd;
    }
    return -1;
}

/// Ends the connection without an answer: what the library writes after this goes nowhere.
void end_connection(const Request& request, Fault::End how) {
    const int fd = socket_of(request);
    if (fd < 0) return;
    if (how == Fault::End::hang) {
        pollfd peer{fd, POLLRDHUP, 0};
        ::poll(&peer, 1, -1);
    }
    const linger at_once{1, 0};
    if (how == Fault::End::reset) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::shutdown(fd, how == Fault::End::reset ? SHUT_RD : SHUT_RDWR);
    if (how == Fault::End::reset) {
        // Disconnecting a TCP socket with a zero linger sends the RST now, before the library can write its answer.
        const sockaddr nobody{AF_UNSPEC, {}};
        ::connect(fd, &nobody, sizeof nobody);
    }
}

void sleep_ms(std::int64_t ms) {
    if (ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

void respond(Response& response, const Answer& answer) {
    response.status = answer.status;
    // The library would compress "application/json" at brotli's highest level, a millisecond and more for forty bytes.
    if (!answer.body.empty()) response.set_content(answer.body, "application/json; charset=utf-8");
}

void respond(Response& response, int status, const std::string& what) {
    respond(response, Answer{status, json{{"error", what}}.dump()});
}

class Api {
  public:
    Api(Shop& shop, std::int64_t delay_ms) : shop_(shop), delay_ms_(delay_ms) {}

    void add_routes(httplib::Server& server) {
        const auto write = [this](const Request& request, Response& response) { handle_write(request, response); };
        const auto read = [this](const Request& request, Response& response) { handle_read(request, response); };
        server.Post("/reservations", write).Post("/captures", write).Delete("/reservations/[^/]+", write);
        server.Get("/reservations", read).Get("/reservations/[^/]+", read).Get("/captures", read).Get("/orders", read);
        server.Get("/health", read);
        server.Get("/ledger", [this](const Request& request, Response& response) {
            respond(response, {200, shop_.ledger(!request.has_param("summary"))});
        });
        // Cheap, for whoever waits until so much has happened.
        server.Get("/progress", [this](const Request&, Response& response) {
            respond(response, {200, json{{"effects", shop_.effects()}}.dump()});
        });
        server.Delete("/ledger", [this](const Request&, Response& response) {
            shop_.clear();
            response.status = 204;
        });
        server.Get("/faults", [this](const Request&, Response& response) { respond(response, {200, faults_.list()}); });
        server.Post("/faults", [this](const Request& request, Response& response) {
            const std::string wrong = faults_.add(json::parse(request.body, nullptr, false));
            wrong.empty() ? respond(response, {201, faults_.list()}) : respond(response, 400, wrong);
        });
        server.Delete("/faults", [this](const Request&, Response& response) {
            faults_.clear();
            response.status = 204;
        });
    }

  private:
    /// False if the request asks for a fault that nobody knows; it is answered then.
    bool fault_of(const Request& request, const std::string& order, Fault& fault, Response& response) {
        faults_.match(request.method, request.path, order, fault);
        const std::string asked =
            request.has_header("X-Fault") ? request.get_header_value("X-Fault") : request.get_param_value("fault");
        if (fault.add(asked)) return true;
        respond(response, 400, "not a fault: " + asked);
        return false;
    }

    void handle_write(const Request& request, Response& response) {
        Write write{request.method, request.path, request.get_header_value("Idempotency-Key"), request.body, {}};
        if (write.method == "POST") {
            write.json = json::parse(write.body, nullptr, false);
            if (!write.json.is_object()) return respond(response, 400, "the body is not a JSON object");
        }
        Fault fault;
        fault.before_ms = delay_ms_;
        if (!fault_of(request, shop_.order_of(write), fault, response)) return;

        Answer answer;
        const Shop::Claim claim = shop_.claim(write, answer);
        if (claim == Shop::Claim::in_flight) return respond(response, 409, "a request with this key is in flight");
        if (claim == Shop::Claim::other_body) return respond(response, 422, "this key came with another body before");
        const bool replay = claim == Shop::Claim::replay;
        if (replay) response.set_header("Idempotent-Replayed", "true");

        sleep_ms(fault.before_ms);
        if (fault.applied) {
            if (!replay) answer = shop_.apply(write);
        } else if (!replay) {
            not_applied(write, fault);
        }
        sleep_ms(fault.after_ms);
        if (fault.retry_after) response.set_header("Retry-After", std::to_string(*fault.retry_after));
        fault.status != 0 ? respond(response, fault.status, "a fault on request") : respond(response, answer);
        if (fault.end != Fault::End::answer) end_connection(request, fault.end);
    }

    /// A refusal is an answer like any other and is given again under its key; 408, 429 and 5xx leave no trace.
    void not_applied(const Write& write, const Fault& fault) {
        const bool refusal = fault.end == Fault::End::answer && fault.status >= 400 && fault.status < 500 &&
                             fault.status != 408 && fault.status != 429;
        refusal ? shop_.refuse(write, {fault.status, json{{"error", "refused on request"}}.dump()}) : shop_.abandon(write);
    }

    void handle_read(const Request& request, Response& response) {
        const std::string order = request.get_param_value("order");
        Fault fault;
        if (!fault_of(request, order, fault, response)) return;
        sleep_ms(fault.before_ms + fault.after_ms);
        if (fault.retry_after) response.set_header("Retry-After", std::to_string(*fault.retry_after));
        fault.status != 0 ? respond(response, fault.status, "a fault on request") : respond(response, read(request, order));
        if (fault.end != Fault::End::answer) end_connection(request, fault.end);
    }

    Answer read(const Request& request, const std::string& order) {
        if (request.path == "/health") return {200, R"({"ok":true})"};
        if (request.path == "/orders") return orders(request);
        if (request.path == "/captures") return shop_.captures_of(order);
        if (request.path == "/reservations") return shop_.reservations_of(order);
        return shop_.reservation(request.path.substr(request.path.rfind('/') + 1));
    }

    /// Orders o1 … oN in pages: {"data": […], "next": a URL, or null on the last page}.
    static Answer orders(const Request& request) {
        const auto number = [&](const char* name, long otherwise) {
            return request.has_param(name) ? std::strtol(request.get_param_value(name).c_str(), nullptr, 10) : otherwise;
        };
        const long count = number("count", 12), size = std::max(1L, number("size", 5)), page = std::max(1L, number("page", 1));
        json out{{"data", json::array()}, {"next", nullptr}};
        for (long n = (page - 1) * size + 1; n <= std::min(count, page * size); ++n) {
            out["data"].push_back({{"orderId", "o" + std::to_string(n)}, {"qty", n % 5 + 1}});
        }
        if (page * size < count) {
            out["next"] = "http://" + request.get_header_value("Host") + "/orders?count=" + std::to_string(count) +
                          "&size=" + std::to_string(size) + "&page=" + std::to_string(page + 1);
        }
        return {200, out.dump()};
    }

    Shop& shop_;
    FaultRules faults_;
    std::int64_t delay_ms_;
};

Options read_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
        if (value && name == "--port")
            options.port = std::atoi(value);
        else if (value && name == "--port-file")
            options.port_file = value;
        else if (value && name == "--threads")
            options.threads = static_cast<std::size_t>(std::atoi(value));
        else if (value && name == "--delay")
            options.delay_ms = std::atoll(value);
        else if (value && name == "--state")
            options.state_file = value;
        else {
            const bool help = name == "--help";
            std::fputs(kUsage, help ? stdout : stderr);
            std::exit(help ? 0 : 64);
        }
    }
    return options;
}

/// Complete or not there: whoever waits for the file must not read half a number.
void write_port_file(const std::string& file, int port) {
    const std::string unfinished = file + ".new";
    std::FILE* out = std::fopen(unfinished.c_str(), "we");
    if (!out || std::fprintf(out, "%d\n", port) < 0 || std::fclose(out) != 0 ||
        std::rename(unfinished.c_str(), file.c_str()) != 0) {
        std::perror(file.c_str());
        std::exit(1);
    }
}

/// SIGTERM and SIGINT end the process from a thread of their own. The library's stop() would wait for idle connections.
void end_on_signal() {
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::thread([set] {
        int signal = 0;
        ::sigwait(&set, &signal);
        ::_exit(0);
    }).detach();
}

int serve(const Options& options) {
    end_on_signal();
    Shop shop(options.state_file);
    Api api(shop, options.delay_ms);
    httplib::Server server;
    int listening = -1;
    server.new_task_queue = [&] { return new httplib::ThreadPool(options.threads); };
    server.set_socket_options([&](int fd) {
        const int on = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        listening = fd;
    });
    server.set_tcp_nodelay(true);
    server.set_keep_alive_max_count(1'000'000'000);
    server.set_keep_alive_timeout(300);
    api.add_routes(server);

    const int port = options.port != 0 ? (server.bind_to_port("127.0.0.1", options.port) ? options.port : -1)
                                       : server.bind_to_any_port("127.0.0.1");
    if (port < 0) {
        std::fprintf(stderr, "demo_api: cannot listen on 127.0.0.1:%d; choose another with --port\n", options.port);
        return 1;
    }
    // The library listens with a backlog of 5, and a connection too many would wait a second for its SYN to be sent again.
    ::listen(listening, SOMAXCONN);
    if (!options.port_file.empty()) write_port_file(options.port_file, port);
    std::fprintf(stderr, "demo_api: listening on http://127.0.0.1:%d\n", port);
    return server.listen_after_bind() ? 0 : 1;
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) { return demo::serve(demo::read_options(argc, argv)); }
