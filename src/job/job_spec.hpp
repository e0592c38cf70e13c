#pragma once
// A job file, read and checked: plain data that every other room may rely on without asking again.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/duration.hpp"
#include "base/json.hpp"
#include "job/condition.hpp"
#include "job/expression.hpp"
#include "job/json_template.hpp"

namespace lockstep {

// ---- what a phase does ------------------------------------------------------------------------------------------

struct NamedTemplate {
    std::string name;
    Template value;
};

struct MultipartSpec {
    std::string name;
    std::optional<Template> value;  ///< exactly one of value and file
    std::optional<Template> file;   ///< relative to the job file
    std::string content_type;
};

struct HttpSpec {
    std::string method;
    Template url;
    std::vector<NamedTemplate> query;
    std::vector<NamedTemplate> headers;
    std::optional<JsonTemplate> body;
    std::vector<NamedTemplate> form;
    std::vector<MultipartSpec> multipart;
    std::optional<Template> body_file;  ///< relative to the job file
    std::string proxy;                  ///< empty: none; "http://proxy.example:3128"
    std::string directory;              ///< absolute: what relative paths of files are relative to

    /// GET, HEAD, PUT, DELETE, OPTIONS, TRACE: RFC 9110 section 9.2.2.
    bool method_is_idempotent() const;
};

struct CommandSpec {
    std::vector<Template> argv;
    std::vector<NamedTemplate> env;
    std::string cwd;  ///< absolute; the job file's directory by default
    std::optional<Template> stdin_text;
};

using ActionSpec = std::variant<HttpSpec, CommandSpec>;

struct RetrySpec {
    int max_attempts = 3;
    Millis initial_interval{500};
    double backoff_rate = 2;
    Millis max_interval{10'000};
    bool full_jitter = true;  ///< "jitter": "full" or "none"
};

struct IdempotencySpec {
    std::string header = "Idempotency-Key";  ///< http only
    std::optional<Millis> retention;         ///< how long the API remembers a key; unset: for ever
};

enum class InDoubtPolicy : std::uint8_t { probe, resend, park };
std::string_view to_string(InDoubtPolicy policy);

struct ProbeSpec {
    ActionSpec action;  ///< a GET or HEAD, or a command
    Condition applied;
    std::optional<Condition> absent;
    std::vector<NamedTemplate> outputs;
    Millis timeout{10'000};
    std::optional<Millis> settle;
};

struct PhaseSpec {
    ActionSpec action;
    Millis timeout{10'000};  ///< one attempt
    Millis deadline{0};      ///< everything done for the phase: attempts, pauses, probes
    RetrySpec retry;
    std::optional<IdempotencySpec> idempotency;
    bool idempotent = false;  ///< the author's word: a second time does no harm
    std::optional<Condition> success;
    std::optional<Condition> refused;
    std::optional<Condition> not_applied;
    std::vector<int> refused_status;      ///< commands
    std::vector<int> not_applied_status;  ///< commands
    std::vector<NamedTemplate> outputs;
    std::vector<InDoubtPolicy> in_doubt;
    std::optional<ProbeSpec> probe;

    const HttpSpec* http() const { return std::get_if<HttpSpec>(&action); }
    const CommandSpec* command() const { return std::get_if<CommandSpec>(&action); }
    /// The deadline, and 5 s more to end a command (its own, or its probe's) that overruns it.
    Millis longest() const;
    /// Sending it twice does no harm: a key, an idempotent method, or the author's word.
    bool can_resend() const;
};

struct StepSpec {
    std::string name;
    PhaseSpec first;
    std::optional<PhaseSpec> second;
    std::optional<PhaseSpec> compensate;  ///< undoes `first` (written inside it in the job file)
    std::string definition;               ///< what the journal keeps beside an open pair: see definition.hpp

    const PhaseSpec* phase(PhaseName name) const;
    /// The longest time from the first effect to the end: all deadlines, and 5 s more for each phase that runs commands.
    Millis longest_pair() const;
};

// ---- where items come from ----------------------------------------------------------------------------------------

struct ItemsSpec {
    struct Ndjson {
        std::string path;
    };  ///< absolute, or "-"
    struct Csv {
        std::string path;
    };  ///< absolute; first row: the names (RFC 4180)
    struct Command {
        CommandSpec command;
        Millis timeout;
    };  ///< prints NDJSON
    struct Http {
        HttpSpec request;
        Expression select;
        std::optional<Expression> next;
        Millis timeout;
    };

    std::variant<Ndjson, Csv, Command, Http> source;
    Template key;

    /// They are there for one pass only, and whoever writes them may take time.
    bool from_stdin() const {
        const auto* ndjson = std::get_if<Ndjson>(&source);
        return ndjson != nullptr && ndjson->path == "-";
    }
};

// ---- the job --------------------------------------------------------------------------------------------------------

enum class AtDeadline : std::uint8_t { finish, cut };
enum class Section : std::uint8_t { step, item };

/// What `maxConcurrency` may be.
inline constexpr int kMostInFlight = 1000;

struct StopSpec {
    Millis grace{0};  ///< the longest pair by default
    AtDeadline at_deadline = AtDeadline::finish;
};

struct SecretSpec {
    std::string env;   ///< exactly one of env and file
    std::string file;  ///< absolute
};

/// Whom the end of a pass is told to, when the lock has been given back. $inputs of its texts is the pass's summary.
struct NoticeSpec {
    ActionSpec action;
    Millis timeout{10'000};  ///< for all attempts together
};

/// The members of that summary, which the reader holds expressions against.
inline constexpr std::string_view kSummaryNames[] = {"job",     "run",     "pass",      "host",        "startedAt",  "ms",
                                                     "result",  "because", "done",      "failed",      "parked",     "left",
                                                     "skipped", "open",    "recovered", "failedItems", "parkedItems"};

struct JobSpec {
    std::string name;
    std::string file;       ///< the job file as it was named
    std::string directory;  ///< absolute: what relative paths are relative to
    std::string lock;       ///< absolute path; "/tmp/<job>.lock" by default
    std::optional<Millis> every;
    std::optional<Millis> expect_every;  ///< no longer than this from one successful pass's end to the next's
    StopSpec stop;
    Json params;  ///< object: declared parameters with the values in force (defaults, then --set)
    std::optional<ItemsSpec> items;
    std::optional<Template> key;  ///< top-level key of a job without items
    int max_concurrency = 1;      ///< at most kMostInFlight
    std::optional<int> tolerated_failure_count;
    int max_pair_attempts = 10;
    Millis park_after{std::chrono::hours{24}};
    Millis keep_history{std::chrono::hours{24 * 30}};  ///< of passes and decisions
    std::optional<Millis> forget_items;                ///< how long after its end an item is forgotten; unset: never
    Section section = Section::step;
    std::optional<bool> shield;
    std::map<std::string, SecretSpec, std::less<>> secrets;
    std::set<std::string> used_secrets;  ///< those of `secrets` that some expression names
    std::vector<StepSpec> steps;
    std::optional<NoticeSpec> on_failure;    ///< something failed that no earlier notice told of
    std::optional<NoticeSpec> on_parked;     ///< something waits for a person since this pass
    std::optional<NoticeSpec> on_recovered;  ///< what an earlier run had left open was brought to an end
    std::optional<NoticeSpec> heartbeat;     ///< all went well

    const StepSpec* step(std::string_view name) const;
    Millis longest_pair() const;  ///< of all steps; with section "item" their sum
};

}  // namespace lockstep
