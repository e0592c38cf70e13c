#pragma once
// A rendered request made ready to go: its secrets filled in. It lives for one attempt and is never written anywhere.

#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "job/expression.hpp"
#include "sys/http_client.hpp"

namespace lockstep {

struct PreparedCommand {
    std::vector<std::string> argv;
    std::vector<std::pair<std::string, std::string>> environment;  ///< beside our own
    std::string cwd;
    std::string stdin_text;
    bool has_stdin = false;
};

/// Error: a secret that cannot be had, or a journalled request that is none.
Result<HttpRequest> prepare_http(const Json& http, const Scope& scope);
Result<PreparedCommand> prepare_command(const Json& command, const Scope& scope);

}  // namespace lockstep
