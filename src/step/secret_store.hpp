#pragma once
// The secrets of a job: read when they are used, shown nowhere.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "job/job_spec.hpp"

namespace lockstep {

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
