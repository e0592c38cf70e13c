// One line a request for people: what `--dry-run` prints. It can be pasted into a shell but for the secrets.

#include "base/text.hpp"
#include "step/prepared.hpp"
#include "step/request.hpp"

namespace lockstep {

namespace {

void append_curl_body(std::string& line, const HttpRequest& request) {
    if (!request.body_file.empty()) {
        line += " --data-binary " + shell_quoted_line("@" + request.body_file);
    } else if (request.has_body) {
        line += " --data-raw " + shell_quoted_line(request.body);
    }
    for (const HttpPart& part : request.parts) {
        const std::string type = part.content_type.empty() ? "" : ";type=" + part.content_type;
        if (!part.file.empty()) {
            line += " -F " + shell_quoted_line(part.name + "=@" + part.file + type);
        } else if (type.empty()) {
            line += " --form-string " + shell_quoted_line(part.name + "=" + part.value);
        } else {
            line += " -F " + shell_quoted_line(part.name + "=" + part.value + type);
        }
    }
}

std::string curl_line(const HttpRequest& request) {
    std::string line = "curl ";
    if (request.method == "HEAD") {
        line += "-I ";
    } else if (request.method != "GET" || request.has_body || !request.body_file.empty()) {
        line += "-X " + shell_quoted_line(request.method) + " ";
    }
    if (request.url.find_first_of("[]{}") != std::string::npos) line += "-g ";
    line += shell_quoted_line(request.url);
    if (!request.proxy.empty()) line += " -x " + shell_quoted_line(request.proxy);
    for (const auto& [name, value] : request.headers)
        line += " -H " + shell_quoted_line(name + (value.empty() ? ";" : ": " + value));
    append_curl_body(line, request);
    return line;
}

std::string shell_line(const PreparedCommand& command) {
    std::string line;
    if (!command.cwd.empty()) line += "cd " + shell_quoted_line(command.cwd) + " && ";
    if (command.has_stdin) line += "printf %s " + shell_quoted_line(command.stdin_text) + " | ";
    for (const auto& [name, value] : command.environment) {
        if (!value.empty()) line += name + "=" + shell_quoted_line(value) + " ";
    }
    for (std::size_t i = 0; i < command.argv.size(); ++i) line += (i == 0 ? "" : " ") + shell_quoted_line(command.argv[i]);
    return line;
}

}  // namespace

std::string describe_request(const RenderedRequest& request) {
    Scope scope;
    scope.secret = [](std::string_view) { return "***"; };
    if (const Json* http = request.json.find("http")) {
        const auto prepared = prepare_http(*http, scope);
        return prepared ? curl_line(*prepared) : prepared.error().text;
    }
    if (const Json* command = request.json.find("command")) {
        const auto prepared = prepare_command(*command, scope);
        return prepared ? shell_line(*prepared) : prepared.error().text;
    }
    return to_text(request.json);
}

}  // namespace lockstep
