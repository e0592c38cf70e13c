// One attempt: the request performed, its answer classed; and the two other uses of an action, probes and listings.

#include "step/perform.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "step/action_end.hpp"
#include "step/command_run.hpp"
#include "step/secret_keeper.hpp"

namespace lockstep {

namespace {

/// Error: the text names the output that is missing, or that the journal could not keep as it is.
Result<Json> outputs_of(const std::vector<NamedTemplate>& outputs, const Scope& scope) {
    Json result = Json::object();
    for (const NamedTemplate& output : outputs) {
        auto value = render_value(output.value, scope);
        if (!value || value->is_null()) {
            const std::string why = value ? output.value.source + " is null" : value.error().text;
            return fail(Failure::items, "the output \"" + output.name + "\" is missing (" + why + ")");
        }
        // Later phases, after a crash, too, must get it as it came; a value that was parsed as JSON is UTF-8 in all its texts.
        if (value->is_string() && !is_utf8(value->text))
            return fail(Failure::items, "the output \"" + output.name + "\" is not UTF-8");
        result.set(output.name, std::move(*value));
    }
    return result;
}

bool looks_at_stdout(const Expression& expression) { return expression.kind == Expression::Kind::stdout_text; }

bool looks_at_stdout(const std::optional<Condition>& condition) {
    return condition && std::ranges::any_of(condition->expressions(), [](const auto* used) { return looks_at_stdout(*used); });
}

bool looks_at_stdout(const std::vector<NamedTemplate>& outputs) {
    const auto used_by = [](const Template::Part& part) { return part.is_expression && looks_at_stdout(part.expression); };
    return std::ranges::any_of(outputs, [&](const auto& output) { return std::ranges::any_of(output.value.parts, used_by); });
}

/// Of a command whose stdout was not kept whole.
std::string output_too_large() { return "its output is larger than " + std::to_string(kMostStdoutKept >> 20U) + " MiB"; }

bool is_2xx(const Answer& answer) { return lockstep::is_2xx(answer.status_code.value_or(0)); }

/// What an answer means when neither `notApplied` nor `refused` has claimed it and `success` is not declared.
Meaning plain_meaning(const PhaseSpec& phase, const Answer& answer, RequestTraits traits) {
    if (!answer.status_code) return meaning_of_exit(answer.exit_status, phase.refused_status, phase.not_applied_status);
    return is_2xx(answer) ? Meaning{Verdict::done} : meaning_of_status(*answer.status_code, traits);
}

class Judgement {
  public:
    Judgement(const PhaseSpec& phase, const ActionEnd& end, RequestTraits traits, const Scope& scope)
        : phase_(phase), end_(end), traits_(traits), scope_(scope), reason_(end.reason()) {}

    Attempt attempt() {
        Attempt result;
        Meaning meaning = end_.answered ? of_answer() : end_.meaning;
        if (meaning.verdict == Verdict::done) {
            auto outputs = outputs_of(phase_.outputs, scope_);
            if (outputs) {
                result.outputs = std::move(*outputs);
            } else {
                meaning = {};
                reason_ += ", but " + outputs.error().text;
            }
        }
        result.verdict = meaning.verdict;
        result.park = meaning.park;
        result.reason = std::move(reason_);
        result.retry_after = end_.retry_after;
        result.not_connected = end_.not_connected;
        result.was_cut = end_.was_cut;
        return result;
    }

  private:
    Meaning of_answer() {
        if (end_.answer.body_was_longer && phase_looks_at_stdout()) {
            reason_ += ", but " + output_too_large();
            return {};
        }
        if (phase_.not_applied && phase_.not_applied->holds(scope_)) return claimed(Verdict::not_applied, *phase_.not_applied);
        if (phase_.refused && phase_.refused->holds(scope_)) return claimed(Verdict::refused, *phase_.refused);
        const Meaning plain = plain_meaning(phase_, end_.answer, traits_);
        const bool listed =
            end_.answer.exit_status && (plain.verdict == Verdict::refused || plain.verdict == Verdict::not_applied);
        if (!phase_.success || listed) return plain;
        const auto success = phase_.success->evaluate(scope_);
        if (success && *success) return {Verdict::done};
        if (plain.verdict != Verdict::done) return plain;
        reason_ += ", but success (" + phase_.success->source() + ") " +
                   (success ? "does not hold" : "is not proven: " + success.error().text);
        return {};
    }

    bool phase_looks_at_stdout() const {
        return looks_at_stdout(phase_.outputs) || looks_at_stdout(phase_.success) || looks_at_stdout(phase_.refused) ||
               looks_at_stdout(phase_.not_applied);
    }

    Meaning claimed(Verdict verdict, const Condition& condition) {
        reason_ += ", " + std::string(to_string(verdict)) + " by " + condition.source();
        return {verdict};
    }

    const PhaseSpec& phase_;
    const ActionEnd& end_;
    RequestTraits traits_;
    const Scope& scope_;
    std::string reason_;
};

}  // namespace

Attempt perform(const PhaseSpec& phase, const RenderedRequest& request, const Scope& scope, const AttemptOptions& options,
                Workbench& bench) {
    SecretKeeper keeper(scope);
    ActionLimits limits;
    limits.timeout = options.timeout;
    limits.cut = bench.cut;
    const ActionEnd end = run_action(request, keeper, limits, bench);
    const RequestTraits traits{.keyed = phase.idempotency.has_value(), .resend = options.resend || end.sent_twice};
    Attempt attempt = Judgement(phase, end, traits, keeper.with_answer(end.answer)).attempt();
    attempt.sent_twice = end.sent_twice;
    attempt.reason = keeper.redact(std::move(attempt.reason));
    return attempt;
}

namespace {

/// An answer that can be believed when it says "there is no such thing": a 2xx, or exit status 0, that is JSON.
bool is_plain_answer(const Answer& answer) {
    return !answer.body_was_longer && (is_2xx(answer) || answer.exit_status == 0) && answer.body_json() != nullptr;
}

ProbeOutcome judge_probe(const ProbeSpec& spec, const ActionEnd& end, const Scope& scope) {
    ProbeOutcome outcome;
    outcome.reason = end.reason();
    outcome.not_connected = end.not_connected;
    if (!end.answered) return outcome;
    const bool looks = looks_at_stdout(spec.outputs) || looks_at_stdout(spec.applied) || looks_at_stdout(spec.absent);
    if (end.answer.body_was_longer && looks) {
        outcome.reason += ": unclear, for " + output_too_large();
        return outcome;
    }
    const auto applied = spec.applied.evaluate(scope);
    if (applied && *applied) {
        auto outputs = outputs_of(spec.outputs, scope);
        if (outputs) {
            outcome.answer = ProbeOutcome::Answer::applied;
            outcome.outputs = std::move(*outputs);
            outcome.reason += ": applied";
        } else {
            outcome.reason += ": applied, but " + outputs.error().text;
        }
        return outcome;
    }
    const bool absent = spec.absent ? spec.absent->holds(scope) : applied && is_plain_answer(end.answer);
    if (absent) outcome.answer = ProbeOutcome::Answer::absent;
    outcome.reason += absent ? ": absent" : ": unclear";
    return outcome;
}

}  // namespace

ProbeOutcome probe(const ProbeSpec& probe, const Scope& scope, Millis left, Workbench& bench) {
    SecretKeeper keeper(scope);
    ProbeOutcome outcome;
    const auto request = render_request(probe.action, std::nullopt, keeper.scope());
    if (request) {
        const ActionEnd end = run_action(*request, keeper, {.timeout = std::min(probe.timeout, left), .cut = bench.cut}, bench);
        outcome = judge_probe(probe, end, keeper.with_answer(end.answer));
    } else {
        outcome.reason = request.error().text;
    }
    outcome.reason = keeper.redact(std::move(outcome.reason));
    return outcome;
}

namespace {

/// Of a GET, which may be sent again (RFC 9110 9.2.2).
bool may_pass(const ActionEnd& end) {
    if (!end.answered) return end.not_connected || end.meaning.verdict == Verdict::in_doubt;
    const int status = end.answer.status_code.value_or(0);
    return status == 408 || status == 429 || status >= 500;
}

}  // namespace

std::expected<Answer, NoListing> fetch_listing(const ActionSpec& action, const Scope& scope, Millis timeout,
                                               const Interrupt& stop, Workbench& bench) {
    const auto none = [](Failure failure, std::string text) {
        return NoListing{{failure, "listing the items: " + std::move(text)}};
    };
    SecretKeeper keeper(scope);
    const auto request = render_request(action, std::nullopt, keeper.scope());
    if (!request) return std::unexpected(none(Failure::items, request.error().text));
    ActionEnd end = run_action(*request, keeper, {.timeout = timeout, .cut = &stop, .for_listing = true}, bench);
    if (end.was_cut) return std::unexpected(none(Failure::stopped, "stopped"));
    if (end.answered && (is_2xx(end.answer) || end.answer.exit_status == 0)) return std::move(end.answer);
    NoListing nothing = none(Failure::items, keeper.redact(describe_request(*request) + ": " + end.reason()));
    nothing.may_pass = may_pass(end);
    nothing.retry_after = end.retry_after;
    return std::unexpected(std::move(nothing));
}

}  // namespace lockstep
