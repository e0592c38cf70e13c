#pragma once
// The secrets of one performance of a request.

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
            if (value) redactor_.add(*value);
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
    std::string redact(std::string text) const { return redactor_.redact(std::move(text)); }
    /// The most bytes that a secret can take in a text, each written as \uXXXX.
    std::size_t longest_form() const { return 6 * redactor_.longest(); }

  private:
    Scope scope_;
    Redactor redactor_;
};

}  // namespace lockstep
