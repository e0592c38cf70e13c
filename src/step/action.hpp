#pragma once
// Carrying out a phase's action: first rendered into a request that can be journalled, then performed.

#include <atomic>
#include <expected>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "job/job_spec.hpp"
#include "step/attempt.hpp"
#include "sys/command_mark.hpp"
#include "sys/http_client.hpp"
#include "sys/interrupt.hpp"
#include "sys/subprocess.hpp"

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

/// What a command gets from its surroundings: its mark in the lock directory, and where its output goes.
class CommandHost {
  public:
    virtual ~CommandHost() = default;
    /// Called before it is started; its descriptor is inherited.
    virtual Result<CommandMark> command_mark() = 0;
    /// Called in the child, before it becomes the command: system calls and atomics only (SpawnRequest::on_begin). So whoever
    /// outlives us knows of every command that has begun.
    virtual void command_begins(pid_t pid, int mark) = 0;
    /// The command has been reaped, or could not be started (pid -1: there was no process to be had); `mark` is that of
    /// command_mark().
    virtual void command_ended(pid_t pid, CommandMark mark) = 0;
    /// Output as it comes: 1 for stdout, 2 for stderr.
    virtual void command_output(int fd, std::string_view bytes) = 0;
    /// A line for the log: "reserve: pid 812 is stopped (SIGTTIN)".
    virtual void command_notice(std::string_view line) = 0;
};

/// What all attempts of one worker thread share.
struct Workbench {
    std::size_t worker = 0;  ///< from 0 on; the thread of the pass is the first
    CommandHost* commands = nullptr;
    const Interrupt* cut = nullptr;      ///< fired when the phase in hand must be cut (the grace is used up)
    std::unique_ptr<HttpClient> http{};  ///< made by the first HTTP action
    std::optional<bool> shield{};        ///< commands ignore TERM, INT, HUP and QUIT; nullopt: as `shield_by_default` says
    /// Asked anew for each command: it may be set at any time. Null: false.
    const std::atomic<bool>* shield_by_default = nullptr;

    bool shields_commands() const { return shield.value_or(shield_by_default != nullptr && *shield_by_default); }
};

struct AttemptOptions {
    Millis timeout{10'000};
    bool resend = false;  ///< the same request was sent before: 409 and 422 have their key meaning
};

/// Performs a phase's request once and classes the outcome: the tables are in classify.cpp. `notApplied` and `refused` are
/// asked first, for their author names a certain answer; then `success`; then the tables. The verdict speaks of this attempt:
/// on a resend, "not applied" says nothing about the request that went before. A secret that cannot be had is "not applied",
/// for nobody has refused anything. `scope` must resolve secrets; its `answer` is ignored. Never throws, never retries.
Attempt perform(const PhaseSpec& phase, const RenderedRequest& request, const Scope& scope, const AttemptOptions& options,
                Workbench& bench);

/// The outcome of a probe: applied (with outputs), absent, or unclear.
struct ProbeOutcome {
    enum class Answer { applied, absent, unclear } answer = Answer::unclear;
    Json outputs = Json::object();
    std::string reason;
};
/// @param left  what is left of the phase's deadline: the probe gets no more than that, or its own timeout
ProbeOutcome probe(const ProbeSpec& probe, const Scope& scope, Millis left, Workbench& bench);

struct NoListing {
    Error error;            ///< Failure::items saying what came instead; Failure::stopped
    bool may_pass = false;  ///< nobody answered, or with 408, 429 or 5xx
    std::optional<Millis> retry_after{};
};
/// A GET or a command that lists items, once: the raw answer of a 2xx, or of exit status 0. A stop (`stop`) ends it at once.
std::expected<Answer, NoListing> fetch_listing(const ActionSpec& action, const Scope& scope, Millis timeout,
                                               const Interrupt& stop, Workbench& bench);

/// "curl -X POST http://… -H 'Authorization: ***'": what `--dry-run` prints. Commands as a shell line. Secrets are "***".
std::string describe_request(const RenderedRequest& request);

/// Pause before attempt `next_attempt` (2, 3, …): exponential with full jitter (a random share of the interval), never
/// less than `retry_after`.
Millis retry_pause(const RetrySpec& retry, int next_attempt, std::optional<Millis> retry_after);

/// The idempotency key: SHA-256 over job, item key, step, phase and generation.
std::string idempotency_key(std::string_view job, std::string_view item_key, std::string_view step, PhaseName phase,
                            int generation);

/// Reads secrets when they are used and hides their values in any text that goes to a person or a log.
class SecretStore {
  public:
    explicit SecretStore(const std::map<std::string, SecretSpec, std::less<>>& specs);
    /// The value now: the environment variable, or the content of the regular file without its last newline.
    /// Error: Failure::secret, `secret "token" cannot be had: the environment variable SHOP_TOKEN is not set`.
    Result<std::string> resolve(std::string_view name) const;
    /// Whether all of them can be had now; the error of the first that cannot.
    Result<void> resolve_all(const std::set<std::string>& names) const;
    /// `text` with every value resolved so far (of at least 4 bytes) replaced by "***".
    std::string redact(std::string text) const;

  private:
    const std::map<std::string, SecretSpec, std::less<>>* specs_;
    struct Seen;
    std::shared_ptr<Seen> seen_;
};

}  // namespace lockstep
