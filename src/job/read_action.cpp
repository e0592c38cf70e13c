// Requests and commands.

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "job/read.hpp"

namespace lockstep {

namespace {

std::string good_header_name(std::string_view name) {
    constexpr std::string_view kToken = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (name.empty() || name.find_first_not_of(kToken) != std::string_view::npos) return "is not the name of a header";
    // Where one is wrong, the server reads another body than the one that was meant.
    const std::string lower = lower_case(name);
    const bool framing = lower == "content-length" || lower == "transfer-encoding";
    return framing ? "says where the body ends, which lockstep does itself" : "";
}

std::string good_variable_name(std::string_view name) {
    if (name.starts_with("LOCKSTEP_")) return "is reserved: lockstep sets the LOCKSTEP_ variables itself";
    const bool good = !name.empty() && name.find_first_of(std::string_view("=\0", 2)) == std::string_view::npos;
    return good ? "" : "is not the name of an environment variable";
}

/// An address, no expression. Of libcurl's kinds of proxy: socks5 resolves the API's name here, all others do it there.
std::string read_proxy(Reading& reading, const std::optional<Place>& at) {
    auto proxy = read_text(reading.findings, at);
    if (!proxy) return "";
    constexpr std::array<std::string_view, 4> kSchemes = {"http://", "https://", "socks5://", "socks5h://"};
    const auto* const scheme =
        std::ranges::find_if(kSchemes, [&](std::string_view begin) { return proxy->starts_with(begin); });
    const std::string_view rest =
        scheme != kSchemes.end() ? std::string_view(*proxy).substr(scheme->size()) : std::string_view();
    const auto odd = [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '\x7F' || c == '/' || c == '@' || c == '$';
    };
    if (rest.empty() || std::ranges::any_of(rest, odd)) {
        reading.findings.add(*at, in_quotes(*proxy) + " is not the address of a proxy",
                             "write http://HOST:PORT (or https, socks5, socks5h), without a path, a user or an expression");
    }
    return std::move(*proxy);
}

/// `[::1]:8080`, `user@host`: RFC 3986, 3.2; a name is whatever the resolver takes for one.
bool is_authority(std::string_view text) {
    text.remove_prefix(std::min(text.rfind('@') + 1, text.size()));
    const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
    if (bracket == std::string_view::npos) return false;
    const std::size_t colon = text.find(':', bracket);
    if (colon == std::string_view::npos) return true;
    const std::string_view port = text.substr(colon + 1);
    int number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    return port.empty() || (error == std::errc{} && end == port.data() + port.size() && number >= 0 && number <= 65535);
}

void check_url(Reading& reading, const Place& at, const Template& url) {
    const bool starts_literally = !url.parts.empty() && !url.parts.front().is_expression;
    if (url.parts.empty()) {
        reading.findings.add(at, "the url is empty");
    } else if (starts_literally) {
        const std::string_view start = url.parts.front().literal;
        const std::size_t scheme_end = start.find("://");
        const std::string_view scheme = start.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end);
        if (scheme.empty()) {
            reading.findings.add(at, in_quotes(url.source) + " is not a whole URL", "begin it with http:// or https://");
        } else if (scheme != "http" && scheme != "https") {
            reading.findings.add(at, "the scheme " + in_quotes(scheme) + " is not http or https",
                                 suggestion(scheme, {"http", "https"}));
        } else if (url.is_constant() && (start.size() == scheme_end + 3 || start[scheme_end + 3] == '/')) {
            reading.findings.add(at, in_quotes(url.source) + " names no host");
        } else if (const std::size_t path = start.find_first_of("/?#", scheme_end + 3);
                   (path != std::string_view::npos || url.is_constant()) &&
                   !is_authority(start.substr(scheme_end + 3, path - scheme_end - 3))) {
            reading.findings.add(at, in_quotes(start.substr(0, path)) + " names no host and port", "write http://HOST:PORT/…");
        }
    }
    if (url.parts.size() > 1 && url.parts.front().is_expression) {
        reading.findings.add(at,
                             in_quotes(url.source) + " begins with an expression, which is percent-encoded: no URL comes of it",
                             "write http://… before it, or make the whole url one expression");
    }
    for (const Template::Part& part : url.parts) {
        const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7F'; };
        if (std::ranges::none_of(part.literal, blank)) continue;
        reading.findings.add(at, "a space or control character cannot stand in a URL", "write %20 for a space");
        return;
    }
}

std::optional<MultipartSpec> read_part(Reading& reading, const Place& at, const Surroundings& around) {
    const Fields fields(reading.findings, at, shapes::kMultipart);
    if (!fields.is_object()) return std::nullopt;
    MultipartSpec part;
    part.name = read_text(reading.findings, fields.get("name")).value_or("");
    fields.exactly_one({"value", "file"}, true);
    part.value = read_template(reading, fields.get("value"), around);
    part.file = read_template(reading, fields.get("file"), around);
    if (const auto type = read_template(reading, fields.get("contentType"), around, Lines::one)) {
        part.content_type = fields.get("contentType")->json->text;
        if (!type->is_constant()) reading.findings.add(*fields.get("contentType"), "a contentType takes no expressions");
    }
    return part;
}

std::vector<MultipartSpec> read_multipart(Reading& reading, const std::optional<Place>& at, const Surroundings& around) {
    std::vector<MultipartSpec> parts;
    if (!at || !expect_type(reading.findings, *at, Json::Type::array)) return parts;
    if (at->json->elements.empty()) reading.findings.add(*at, "a multipart body needs at least one part");
    for (std::size_t i = 0; i < at->json->elements.size(); ++i) {
        if (auto part = read_part(reading, at->element(i), around)) parts.push_back(std::move(*part));
    }
    return parts;
}

/// argv[0] such as ./capture.sh means the job file's directory, wherever the command is then run.
void anchor_program(Template& program, const std::string& directory) {
    if (program.parts.empty() || program.parts.front().is_expression) return;
    std::string& start = program.parts.front().literal;
    if (start.starts_with('/') || start.find('/') == std::string::npos) return;
    const std::string prefix = directory + (directory.ends_with('/') ? "" : "/");
    start = prefix + start;
    std::string escaped;
    for (const char c : prefix) escaped.append(c == '$' ? 2 : 1, c);
    program.source = escaped + program.source;
}

std::vector<Template> read_argv(Reading& reading, const std::optional<Place>& at, const Surroundings& around) {
    std::vector<Template> argv;
    if (!at || !expect_type(reading.findings, *at, Json::Type::array)) return argv;
    for (std::size_t i = 0; i < at->json->elements.size(); ++i) {
        const Place place = at->element(i);
        argv.push_back(read_scalar(reading, place, around, Lines::one).value_or(Template{}));
    }
    if (argv.empty()) {
        reading.findings.add(*at, "a command needs a program to run");
    } else if (at->json->elements[0].is_string() && at->json->elements[0].text.empty()) {
        reading.findings.add(at->element(0), "the name of the program is empty");
    }
    check_shell_script(reading, *at, argv);
    return argv;
}

}  // namespace

HttpSpec read_http(Reading& reading, const Place& at, const EnumShape& methods, const Surroundings& around) {
    const Fields fields(reading.findings, at, shapes::kHttp);
    HttpSpec http;
    http.directory = reading.directory;
    if (!fields.is_object()) return http;
    if (const auto method = read_word(reading.findings, fields.get("method"), methods)) http.method = methods.words[*method];
    if (auto url = read_template(reading, fields.get("url"), around)) {
        check_url(reading, *fields.get("url"), *url);
        http.url = std::move(*url);
    }
    http.query = read_named(reading, fields.get("query"), around, Lines::any, any_name);
    http.headers = read_named(reading, fields.get("headers"), around.with_secrets(), Lines::one, good_header_name);
    fields.exactly_one({"body", "form", "multipart", "bodyFile"}, false);
    if (const auto body = fields.get("body")) {
        read_body_texts(reading, *body, around);
        if (auto texts = JsonTemplate::parse(*body->json)) http.body = std::move(*texts);  // else that was reported just now
    }
    http.form = read_named(reading, fields.get("form"), around, Lines::any, any_name);
    http.multipart = read_multipart(reading, fields.get("multipart"), around);
    http.body_file = read_template(reading, fields.get("bodyFile"), around);
    http.proxy = read_proxy(reading, fields.get("proxy"));
    return http;
}

CommandSpec read_command(Reading& reading, const Place& at, const Surroundings& around, std::optional<Place>& outputs) {
    CommandSpec command;
    command.cwd = reading.directory;
    if (at.json->is_array()) {
        command.argv = read_argv(reading, at, around);
        return command;
    }
    if (!at.json->is_object()) {
        reading.findings.add(at,
                             "a command must be an array of arguments or an object, not " + std::string(type_name(*at.json)),
                             at.json->is_string() ? "write [\"program\", \"argument\"]" : "");
        return command;
    }
    const Fields fields(reading.findings, at, shapes::kCommand);
    command.argv = read_argv(reading, fields.get("argv"), around);
    command.env = read_named(reading, fields.get("env"), around.with_secrets(), Lines::any, good_variable_name);
    if (auto cwd = read_path(reading.findings, fields.get("cwd"), reading.directory)) {
        command.cwd = std::move(*cwd);
        if (!command.argv.empty()) anchor_program(command.argv.front(), reading.directory);
    }
    command.stdin_text = read_template(reading, fields.get("stdin"), around);
    outputs = fields.get("outputs");
    return command;
}

std::optional<ReadAction> read_action(Reading& reading, const Fields& fields, const EnumShape& methods,
                                      const Surroundings& around) {
    const auto kind = fields.exactly_one({"http", "command"}, true);
    if (!kind) return std::nullopt;
    const Place place = *fields.get(*kind);
    ReadAction read;
    if (*kind == "http") {
        read.action = read_http(reading, place, methods, around);
    } else {
        read.action = read_command(reading, place, around, read.outputs);
    }
    return read;
}

std::optional<Place> outputs_place(Reading& reading, const Fields& fields, const ReadAction& action) {
    const auto outside = fields.get("outputs");
    if (outside && action.outputs) {
        reading.findings.add(*action.outputs, "\"outputs\" stands here and beside the command, too", "leave one of them out");
    }
    return outside ? outside : action.outputs;
}

}  // namespace lockstep
