#pragma once
// A phase's action, rendered into a request that can be journalled, sent by another process, and shown.

#include <optional>
#include <string>

#include "base/json.hpp"
#include "job/job_spec.hpp"

namespace lockstep {

/// A request with every expression resolved but the secrets, which stay references: JSON, as the journal keeps it.
struct RenderedRequest {
    Json json;
};

/// Resolves the templates of an action. Error (its text for people): a missing or null value, or CR, LF or NUL in a header
/// or an argument; and, if scope.secret is set, a secret that cannot be had now. Nothing has begun then. The idempotency key is
/// scope.idempotency_key; it is put into the declared header, and into a command's LOCKSTEP_IDEMPOTENCY_KEY.
/// With scope.outputs_to_come it is a trial: all that can be said of the request before the outputs that it needs are there.
/// All strings are final but those of headers and env: these are templates in which only $$ and {$secrets.NAME} are left.
Result<RenderedRequest> render_request(const ActionSpec& action, const std::optional<IdempotencySpec>& idempotency,
                                       const Scope& scope);

/// "curl -X POST http://… -H 'Authorization: ***'": what `--dry-run` prints. Commands as a shell line. Secrets are "***".
std::string describe_request(const RenderedRequest& request);

}  // namespace lockstep
