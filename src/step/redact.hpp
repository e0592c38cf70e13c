#pragma once
// Hiding secrets in text that people see.

#include <string>
#include <vector>

namespace lockstep {

/// The secrets that no text is to show. Not to be used by two threads at once.
class Redactor {
  public:
    void add(const std::string& value);
    /// `text` with each of them (of at least 4 bytes) replaced by "***". One is found as it is, with the escapes of a JSON
    /// string (\" \/ \u00e9), and percent-encoded, whatever of it is escaped.
    std::string redact(std::string text) const;
    /// The size of the longest one.
    std::size_t longest() const { return values_.empty() ? 0 : values_.front().size(); }

  private:
    std::vector<std::string> values_;  // longest first: a secret may contain another
};

}  // namespace lockstep
