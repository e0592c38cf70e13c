#pragma once
// What an answer means (DESIGN.md, section 5): pure functions from what was seen to done, not applied, refused or in doubt.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/duration.hpp"
#include "step/attempt.hpp"
#include "sys/http_client.hpp"

namespace lockstep {

struct Meaning {
    Verdict verdict = Verdict::in_doubt;
    bool park = false;

    bool operator==(const Meaning&) const = default;
};

/// What surrounds a request and changes what its answer means.
struct RequestTraits {
    bool keyed = false;   ///< it carries an idempotency key
    bool resend = false;  ///< the same request was sent before, and what became of that is not known
};

constexpr bool is_2xx(int status) { return status >= 200 && status < 300; }

/// An HTTP status that `success` did not accept.
Meaning meaning_of_status(int status, RequestTraits traits);

/// No (complete) HTTP answer.
Meaning meaning_of_failure(const HttpFailure& failure);

/// A command that ran to its end: its exit status (nothing if a signal ended it). `success` is not asked here.
Meaning meaning_of_exit(std::optional<int> exit_status, const std::vector<int>& refused, const std::vector<int>& not_applied);

/// Retry-After (RFC 9110 10.2.3): seconds, or a date, which is counted from `date` (the answer's own Date header, if it can be
/// read) or else from `now_ms`, so that a wrong clock on either side does not matter. Never negative.
std::optional<Millis> parse_retry_after(std::string_view value, const std::string* date, std::int64_t now_ms);

/// "503 Service Unavailable"; the bare number where no standard phrase exists.
std::string describe_status(int status);

}  // namespace lockstep
