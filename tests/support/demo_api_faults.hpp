#pragma once
// Faults on request. A fault is a short text of parts joined by commas:
//
//     before:MS  after:MS    wait before, or after, the effect
//     STATUS[:RETRY_AFTER]   answer that status instead; nothing is applied        429:1  503  500  400
//     STATUS-after           apply, then answer that status                        500-after
//     drop  reset  hang      apply, then close, reset, or never answer
//     drop-before  reset-before  hang-before                                       the same, nothing applied
//
// One request asks for it by the header X-Fault or the query parameter fault; a rule, posted to /faults, asks for it for all
// requests that it matches: {"do": "503:1", "method": "POST", "path": "/captures", "orders": ["o3"], "every": 7, "times": 2}.

#include <cstdint>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace demo {

struct Fault {
    enum class End : std::uint8_t { answer, drop, reset, hang };
    std::int64_t before_ms = 0;
    std::int64_t after_ms = 0;
    int status = 0;  ///< 0: the true answer
    std::optional<int> retry_after;
    End end = End::answer;
    bool applied = true;

    /// Adds what `text` says. @return false if it cannot be understood
    bool add(const std::string& text);
};

class FaultRules {
  public:
    /// @return what is wrong with the rule, or ""
    std::string add(const nlohmann::json& rule);
    void clear();
    std::string list();

    /// Adds to `fault` what the rules say about a request, which counts for their "every" and "times".
    void match(const std::string& method, const std::string& path, const std::string& order, Fault& fault);

  private:
    struct Rule {
        std::string what;
        std::string method;               ///< empty: every method that writes
        std::string path;                 ///< empty: all; else the path's beginning
        std::vector<std::string> orders;  ///< empty: all
        std::int64_t every = 1;
        std::int64_t times = -1;  ///< -1: for ever
        std::int64_t seen = 0;
        std::int64_t struck = 0;
    };
    std::mutex mutex_;
    std::vector<Rule> rules_;
};

}  // namespace demo
