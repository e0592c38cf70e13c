// Rendering, describing, keys, pauses, secrets.

#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "step/idempotency_key.hpp"
#include "step/redact.hpp"
#include "step/request.hpp"
#include "step/retry.hpp"
#include "step/secret_store.hpp"
#include "step_support.hpp"

using namespace lockstep;
using namespace lockstep::testing;
using namespace std::chrono_literals;

namespace {

std::string rendered(const Bench& bench, const ActionSpec& action, const std::optional<IdempotencySpec>& key = std::nullopt) {
    const auto request = render_request(action, key, bench.scope);
    return request ? to_text(request->json) : "error: " + request.error().text;
}

std::string described(const Bench& bench, const ActionSpec& action, const std::optional<IdempotencySpec>& key = std::nullopt) {
    const auto request = render_request(action, key, bench.scope);
    return request ? describe_request(*request) : "error: " + request.error().text;
}

std::string redacted(const std::string& text, const std::string& secret) {
    Redactor redactor;
    redactor.add(secret);
    return redactor.redact(text);
}

}  // namespace

TEST_CASE("a rendered request holds all that it takes to send it, and secrets as references", "[render]") {
    Bench bench;
    HttpSpec spec = http("POST", "http://shop/orders/{$inputs.orderId}?x=1#frag");
    spec.query = named({{"a b", "{$inputs.orderId}&"}});
    spec.headers = named({{"Authorization", "Bearer {$secrets.token}"}, {"X-Price", "$$ {$inputs.price}"}});
    spec.body = body_of(R"({"order": "$inputs.orderId", "qty": "$inputs.qty", "price": "$inputs.price", "currency": "$$"})");
    const std::string text = rendered(bench, spec, IdempotencySpec{});
    CHECK(text == R"({"http":{"method":"POST","url":"http://shop/orders/o%2017?x=1&a%20b=o%2017%26#frag",)"
                  R"("body":"{\"order\":\"o 17\",\"qty\":3,\"price\":1.10,\"currency\":\"$\"}",)"
                  R"("headers":[["Authorization","Bearer {$secrets.token}"],["X-Price","$$ 1.10"],["Idempotency-Key","key-1"],)"
                  R"(["Content-Type","application/json"]]}})");
}

TEST_CASE("a POST or PATCH without a key asks for a fresh connection, others do not", "[render]") {
    const Bench bench;
    const auto fresh = [&](const std::string& method, const std::optional<IdempotencySpec>& key) {
        return rendered(bench, http(method, "http://shop/"), key).find("\"freshConnection\":true") != std::string::npos;
    };
    CHECK(fresh("POST", std::nullopt));
    CHECK(fresh("PATCH", std::nullopt));
    CHECK_FALSE(fresh("POST", IdempotencySpec{}));
    CHECK_FALSE(fresh("PUT", std::nullopt));
    CHECK_FALSE(fresh("GET", std::nullopt));
    CHECK_FALSE(fresh("DELETE", std::nullopt));
}

TEST_CASE("no value turns a URL to another place", "[render]") {
    Bench bench;
    const auto of = [&](const std::string& url, const std::string& id) {
        const Json inputs = json_of(R"({"id": ")" + id + R"("})");
        const Json params = json_of(R"({"empty": ""})");
        bench.scope.inputs = &inputs;
        bench.scope.params = &params;
        return rendered(bench, http("DELETE", url));
    };
    for (const char* id : {"", ".", ".."}) {
        for (const char* url : {"http://shop/orders/{$inputs.id}", "http://shop/orders/{$inputs.id}/lines",
                                "http://shop/orders/{$inputs.id}?all=1", "http://shop/orders/{$inputs.id}{$inputs.id}#x"}) {
            INFO(url << " with \"" << id << "\"");
            const bool harmless = std::string(id) == ".." && std::string(url).ends_with("#x");  // "...." is a name
            CHECK(of(url, id).starts_with("error: url: $inputs.id leaves its path segment empty") != harmless);
        }
        CHECK(of("http://shop/orders/x{$inputs.id}?id={$inputs.id}", id).starts_with("{"));
    }
    CHECK(of("http://shop/{$params.empty}/orders/{$inputs.id}", "o1").find("http://shop//orders/o1") != std::string::npos);
    CHECK(of("http://shop/orders/{$inputs.id}", "a/../b").find("http://shop/orders/a%2F..%2Fb") != std::string::npos);
}

TEST_CASE("forms, files and parts are rendered; relative files lie beside the job file", "[render]") {
    const Bench bench;
    HttpSpec spec = http("PUT", "http://shop/");
    spec.directory = "/jobs";
    SECTION("form") {
        spec.form = named({{"order", "{$inputs.orderId}"}, {"qty", "$inputs.qty"}});
        const std::string text = rendered(bench, spec);
        CHECK(text.find(R"("body":"order=o%2017&qty=3")") != std::string::npos);
        CHECK(text.find("application/x-www-form-urlencoded") != std::string::npos);
    }
    SECTION("file") {
        spec.body_file = template_of("labels/{$inputs.qty}.pdf");
        CHECK(rendered(bench, spec).find(R"("bodyFile":"/jobs/labels/3.pdf")") != std::string::npos);
    }
    SECTION("multipart") {
        spec.multipart.push_back({"order", template_of("$inputs.orderId"), std::nullopt, ""});
        spec.multipart.push_back({"label", std::nullopt, template_of("/tmp/label"), "application/pdf"});
        CHECK(rendered(bench, spec)
                  .find(R"([{"name":"order","value":"o 17"},)"
                        R"({"name":"label","file":"/tmp/label","contentType":"application/pdf"}])") != std::string::npos);
    }
}

TEST_CASE("what cannot be rendered is an error that names the place, before anything begins", "[render]") {
    Bench bench;
    bench.inputs.set("breaks", Json::of_string("a\r\nX-Evil: 1"));
    HttpSpec spec = http("GET", "http://shop/");
    SECTION("a missing value") {
        spec.headers = named({{"X-A", "{$inputs.nowhere}"}});
        CHECK(rendered(bench, spec) == "error: header X-A: $inputs.nowhere is missing");
    }
    SECTION("a null") {
        spec.query = named({{"q", "$inputs.none"}});
        CHECK(rendered(bench, spec) == "error: query q: $inputs.none is null");
    }
    SECTION("a line break in a header") {
        spec.headers = named({{"X-A", "{$inputs.breaks}"}});
        CHECK(rendered(bench, spec) == "error: header X-A: holds a line break or a NUL character");
    }
    SECTION("a line break in an argument") {
        CHECK(rendered(bench, command({"echo", "{$inputs.breaks}"})) ==
              "error: argument 1: holds a line break or a NUL character");
    }
    SECTION("a URL that is one expression and none of HTTP") {
        CHECK(rendered(bench, http("GET", "$inputs.orderId")).starts_with("error: url: "));
        CHECK(rendered(bench, http("GET", "$inputs.breaks")).starts_with("error: url: "));
    }
    SECTION("a secret that cannot be had") {
        bench.scope.secret = [](std::string_view) { return fail(Failure::secret, "secret \"token\" cannot be had: no"); };
        spec.headers = named({{"Authorization", "{$secrets.token}"}});
        CHECK(rendered(bench, spec) == "error: header Authorization: secret \"token\" cannot be had: no");
    }
}

TEST_CASE("a request is described as a line that can be pasted, but for its secrets", "[describe]") {
    const Bench bench;
    HttpSpec spec = http("POST", "http://shop/orders");
    spec.headers = named({{"Authorization", "Bearer {$secrets.token}"}});
    spec.body = body_of(R"({"order": "$inputs.orderId"})");
    CHECK(described(bench, spec, IdempotencySpec{}) ==
          "curl -X POST http://shop/orders -H 'Authorization: Bearer ***' -H 'Idempotency-Key: key-1' "
          "-H 'Content-Type: application/json' --data-raw '{\"order\":\"o 17\"}'");
    CHECK(described(bench, http("GET", "http://shop/")) == "curl http://shop/");
    CHECK(described(bench, http("HEAD", "http://shop/")) == "curl -I http://shop/");

    CommandSpec run = command({"./capture.sh", "{$inputs.orderId}"});
    run.cwd = "/jobs";
    run.env = named({{"TOKEN", "{$secrets.token}"}});
    run.stdin_text = template_of("two\nlines");
    CHECK(described(bench, run) ==
          "cd /jobs && printf %s $'two\\nlines' | TOKEN='***' LOCKSTEP_ITEM_KEY=north/o17 LOCKSTEP_IDEMPOTENCY_KEY=key-1 "
          "./capture.sh 'o 17'");
}

TEST_CASE("the idempotency key depends on each of its parts and on nothing else", "[key]") {
    const std::string key = idempotency_key("job", "item", "step", PhaseName::first, 0);
    CHECK(key.size() == 64);
    CHECK(key == idempotency_key("job", "item", "step", PhaseName::first, 0));
    const std::set<std::string> keys = {key,
                                        idempotency_key("jobi", "tem", "step", PhaseName::first, 0),
                                        idempotency_key("job", "item2", "step", PhaseName::first, 0),
                                        idempotency_key("job", "item", "step2", PhaseName::first, 0),
                                        idempotency_key("job", "item", "step", PhaseName::second, 0),
                                        idempotency_key("job", "item", "step", PhaseName::compensate, 0),
                                        idempotency_key("job", "item", "step", PhaseName::first, 1)};
    CHECK(keys.size() == 7);
}

TEST_CASE("pauses grow, are capped, jittered, and never shorter than the server asks", "[retry]") {
    RetrySpec retry;
    retry.initial_interval = 500ms;
    retry.backoff_rate = 2;
    retry.max_interval = 3s;
    retry.full_jitter = false;
    CHECK(retry_pause(retry, 2, std::nullopt) == 500ms);
    CHECK(retry_pause(retry, 3, std::nullopt) == 1s);
    CHECK(retry_pause(retry, 4, std::nullopt) == 2s);
    CHECK(retry_pause(retry, 5, std::nullopt) == 3s);
    CHECK(retry_pause(retry, 100'000, std::nullopt) == 3s);
    CHECK(retry_pause(retry, 2, 7s) == 7s);

    retry.full_jitter = true;
    std::set<Millis> seen;
    for (int i = 0; i < 200; ++i) {
        const Millis pause = retry_pause(retry, 4, std::nullopt);
        CHECK((pause >= 0ms && pause <= 2s));
        seen.insert(pause);
    }
    CHECK(seen.size() > 20);
}

TEST_CASE("secrets come from the environment or a file, and are hidden wherever they show", "[secrets]") {
    const TemporaryDirectory directory;
    const std::string file = directory.write("token", "file-secret\n");
    const std::map<std::string, SecretSpec, std::less<>> specs = {{"env", {"LOCKSTEP_TEST_SECRET", ""}},
                                                                  {"file", {"", file}},
                                                                  {"none", {"LOCKSTEP_TEST_NO_SUCH", ""}},
                                                                  {"gone", {"", file + ".gone"}}};
    const SecretStore store(specs);
    ::setenv("LOCKSTEP_TEST_SECRET", "env-secret", 1);
    CHECK(store.resolve("env").value() == "env-secret");
    CHECK(store.redact("a file-secret, an env-secret") == "a file-secret, an ***");
    CHECK(store.resolve("file").value() == "file-secret");
    CHECK(store.redact("a file-secret, an env-secret") == "a ***, an ***");
    ::setenv("LOCKSTEP_TEST_SECRET", "env-secret-rotated", 1);
    CHECK(store.resolve("env").value() == "env-secret-rotated");
    CHECK(store.redact("env-secret-rotated env-secret") == "*** ***");
    ::unsetenv("LOCKSTEP_TEST_SECRET");

    CHECK(store.resolve("none").error().text ==
          "secret \"none\" cannot be had: the environment variable LOCKSTEP_TEST_NO_SUCH is not set");
    CHECK(store.resolve("gone").error().text ==
          "secret \"gone\" cannot be had: file " + file + ".gone: No such file or directory");
    CHECK_FALSE(store.resolve("undeclared"));
    CHECK(store.resolve_all({"file"}));
    CHECK(store.resolve_all({"file", "none"}).error().failure == Failure::secret);
}

TEST_CASE("of a request whose outputs are still to come, all that does not need them is tried", "[render]") {
    Bench bench;
    const std::string later = "$steps.ship.first.outputs.rid";
    HttpSpec spec = http("POST", later);
    spec.body = body_of(R"({"rid": "$steps.ship.first.outputs.rid#/deep", "qty": "$inputs.qty"})");
    CHECK(rendered(bench, spec) == "error: url: " + later + " is missing");
    bench.scope.outputs_to_come = true;
    SECTION("the output stands for itself, and what it makes of the text around it is left open") {
        CHECK(described(bench, spec) == "curl -X POST -g '{" + later +
                                            "}' -H 'Content-Type: application/json' --data-raw '{\"rid\":\"{" + later +
                                            "#/deep}\",\"qty\":3}'");
        CHECK(described(bench, command({later, "{" + later + "}/{$inputs.qty}"}))
                  .ends_with(" '{" + later + "}' '{" + later + "}/3'"));
        spec.body.reset();
        spec.body_file = template_of(later);
        CHECK_FALSE(rendered(bench, spec).starts_with("error"));
        spec.url = template_of(later + "#/the url");
        CHECK_FALSE(rendered(bench, spec).starts_with("error"));
        spec.url = template_of("the {" + later + "}");
        CHECK(rendered(bench, spec).starts_with("error: url: holds a blank"));
    }
    SECTION("what stands beside it is not") {
        spec.headers = named({{"X", "{" + later + "} {$inputs.nope}"}});
        CHECK(rendered(bench, spec) == "error: header X: $inputs.nope is missing");
        spec.headers = named({{"X", "{" + later + "} {$inputs.none}"}});
        CHECK(rendered(bench, spec) == "error: header X: $inputs.none is null");
        spec.headers = named({{"X", "{" + later + "}\n"}});
        CHECK(rendered(bench, spec) == "error: header X: holds a line break or a NUL character");
    }
    SECTION("an output that is not among those of a phase that is over is missing") {
        StepOutputs outputs;
        outputs.by_phase[{"ship", PhaseName::first}] = json_of(R"({"other": 1})");
        bench.scope.outputs = &outputs;
        CHECK(rendered(bench, spec) == "error: url: " + later + " is missing");
    }
}

TEST_CASE("a secret is hidden in the forms in which it is commonly echoed", "[secrets]") {
    const std::string secret = "a\"b\\c/d e\n\xC3\xA9\xF0\x9F\x94\x91+%";
    const auto hidden = [&](const std::string& echo) { return redacted("<" + echo + "> " + echo, secret); };
    CHECK(hidden(secret) == "<***> ***");
    CHECK(hidden(R"(a\"b\\c/d e\n)"
                 "\xC3\xA9\xF0\x9F\x94\x91+%") == "<***> ***");
    CHECK(hidden(R"(a\"b\\c\/d e\n\u00e9\ud83d\udd11+%)") == "<***> ***");
    CHECK(hidden(R"(\u0061\u0022b\u005C\u005cc\u002fd\u0020e\u000A\u00E9\uD83D\uDD11\u002B\u0025)").find("\\uD83D") !=
          std::string::npos);  // one backslash too many: another text
    CHECK(hidden(R"(\u0061\u0022b\u005Cc\u002fd\u0020e\u000A\u00E9\uD83D\uDD11\u002B\u0025)") == "<***> ***");
    CHECK(hidden("a%22b%5Cc%2Fd%20e%0A%C3%A9%F0%9F%94%91%2B%25") == "<***> ***");
    CHECK(hidden("a%22b%5cc/d+e%0a%c3%a9%f0%9f%94%91+%25") == "<***> ***");
    CHECK(redacted("a token, a tok%65n, a to\\u006ben, a toke", "token") == "a ***, a ***, a ***, a toke");
    CHECK(redacted("tok%6", "token") == "tok%6");
    CHECK(redacted("toke\\u006", "token") == "toke\\u006");
    CHECK(redacted("\\\\\\\\\\\\", "\\\\\\\\") == "***\\\\");
}

TEST_CASE("a secret is read from a regular file, by whatever links, and nothing else is waited for", "[secrets]") {
    const TemporaryDirectory directory;
    const std::string fifo = directory / "fifo";
    const std::string link = directory / "link";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    REQUIRE(::symlink(directory.write("token", "s3cret").c_str(), link.c_str()) == 0);
    const std::map<std::string, SecretSpec, std::less<>> specs = {
        {"fifo", {"", fifo}}, {"directory", {"", directory.path()}}, {"device", {"", "/dev/zero"}}, {"link", {"", link}}};
    const SecretStore store(specs);
    // Without the guard this one would wait for ever.
    CHECK(store.resolve("fifo").error().text == "secret \"fifo\" cannot be had: " + fifo + " is not a regular file");
    CHECK(store.resolve("directory").error().text ==
          "secret \"directory\" cannot be had: " + directory.path() + " is not a regular file");
    CHECK(store.resolve("device").error().failure == Failure::secret);
    CHECK(store.resolve("link").value() == "s3cret");
}
