#pragma once
// The items of a pass, one after another: from a file, stdin, a command or a paged GET, or the one item of a job without any.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/json.hpp"
#include "job/job_spec.hpp"
#include "step/workbench.hpp"
#include "sys/interrupt.hpp"

namespace lockstep {

struct Item {
    std::string key;
    Json inputs;  ///< an object
};

/// A record that is no item: the others go on.
struct BadItem {
    std::string what;  ///< "/data/pending.ndjson:14: …", for people
};

class ItemSource {
  public:
    virtual ~ItemSource() = default;
    /// The next one, or nullopt after the last. Errors: Failure::items when the source cannot be read on; Failure::stopped
    /// when `stop` fired while it had to be waited for (a file is read to its end regardless).
    virtual Result<std::optional<std::variant<Item, BadItem>>> next() = 0;
};

/// Opens the job's items for one pass; lists them if that takes a command or a GET (its first page).
///
/// @param base   what keys and requests may refer to; it must resolve secrets
/// @param pass   number of the pass, for the key of a job that has neither items nor key
/// @param stop   cuts a command, a GET and waiting for stdin at once
/// @param bench  for the command or GET; it, `job` and `stop` must outlive the source
/// Errors: Failure::items naming file, URL or command and why; Failure::stopped.
Result<std::unique_ptr<ItemSource>> open_items(const JobSpec& job, const Scope& base, std::int64_t pass, const Interrupt& stop,
                                               Workbench& bench);

}  // namespace lockstep
