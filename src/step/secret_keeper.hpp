#pragma once
// The secrets of one performance of a request.

#include <algorithm>

#include "job/expression.hpp"
#include "step/redact.hpp"

namespace lockstep {

/// A scope that remembers the secrets that were asked of it, so that no text about the answer shows them.
class SecretKeeper {
  public:
    /// `scope` must resolve secrets and outlive this; its `answer` is ignored.
    explicit SecretKeeper(const Scope& scope) : scope_(scope) {
        scope_.answer = nullptr;
        if (!scope.secret) return;
        scope_.secret = [this, &scope](std::string_view name) {
            auto value = scope.secret(name);
            if (value) remember(*value);
            return value;
        };
    }
    SecretKeeper(const SecretKeeper&) = delete;
    SecretKeeper& operator=(const SecretKeeper&) = delete;

    const Scope& scope() const { return scope_; }
    Scope with_answer(const Answer& answer) const {
        Scope result = scope_;
        result.answer = &answer;
        return result;
    }
    /// To be done before any text is cut: what is left of a secret is not found again.
    std::string redact(std::string text) const { return redact_values(std::move(text), values_); }
    /// The most bytes that a secret can take in a text, each written as \uXXXX.
    std::size_t longest_form() const { return values_.empty() ? 0 : 6 * values_.front().size(); }

  private:
    void remember(const std::string& value) {
        if (std::ranges::find(values_, value) != values_.end()) return;
        const auto longer = [&](const std::string& other) { return other.size() > value.size(); };
        values_.insert(std::ranges::partition_point(values_, longer), value);
    }

    Scope scope_;
    std::vector<std::string> values_;  // longest first: a secret may contain another
};

}  // namespace lockstep
