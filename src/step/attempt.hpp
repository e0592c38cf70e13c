#pragma once
// One attempt at one phase, and what it came to.

#include <optional>
#include <string>

#include "base/duration.hpp"
#include "base/json.hpp"

namespace lockstep {

enum class Verdict {
    done,         ///< it took effect, and all declared outputs are there
    not_applied,  ///< it certainly did not take effect, and may be tried again
    refused,      ///< it certainly did not take effect, and the same request never will
    in_doubt,     ///< nobody knows
};
std::string_view to_string(Verdict verdict);

struct Attempt {
    Verdict verdict = Verdict::in_doubt;
    std::string reason;             ///< for people: "201", "503 Service Unavailable", "no answer within 5s", "exit status 3"
    Json outputs = Json::object();  ///< if done
    std::optional<Millis> retry_after;  ///< the server's own wish (RFC 9110 10.2.3), capped by nobody yet
    bool not_connected = false;         ///< there was no connection at all
    bool sent_twice = false;            ///< below us, so that "not applied" may be true of the second time alone
    bool was_cut = false;               ///< the cut interrupt ended it
    bool park = false;                  ///< 422 on a resend: the key was used for another request; no rule can finish this
};

}  // namespace lockstep
