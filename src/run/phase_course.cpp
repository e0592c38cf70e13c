#include "run/phase_course.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "step/perform.hpp"
#include "step/retry.hpp"
#include "step/sent_files.hpp"

namespace lockstep {

namespace {

PairState begun_state(PhaseName name) {
    switch (name) {
        case PhaseName::first: return PairState::first_begun;
        case PhaseName::second: return PairState::second_begun;
        case PhaseName::compensate: return PairState::compensate_begun;
    }
    return PairState::first_begun;
}

// What in_doubt_or_parked() adds to an answer; the next pass adds its own.
constexpr std::string_view kNotResent = "; not sent again: ";
constexpr std::string_view kTheProbe = "; the probe: ";

std::string answer_in(const std::string& reason) {
    return reason.substr(0, std::min(reason.find(kNotResent), reason.find(kTheProbe)));
}

PairState not_applied_state(PhaseName name) {
    switch (name) {
        case PhaseName::first: return PairState::first_not_applied;
        case PhaseName::second: return PairState::second_not_applied;
        case PhaseName::compensate: return PairState::compensate_not_applied;
    }
    return PairState::first_not_applied;
}

}  // namespace

PhaseCourse::PhaseCourse(PassContext& pass, Workbench& bench, const PairTask& task, PhaseName name, const Scope& scope)
    : pass_(pass),
      bench_(bench),
      pair_(task.pair),
      step_(task.step),
      name_(name),
      phase_(*task.step.phase(name)),
      terms_(task.terms),
      scope_(scope) {}

Result<PhaseResult> PhaseCourse::run() {
    const bool begun_before = pair_.state == begun_state(name_);
    auto request = this->request();
    if (!request) {
        if (!begun_before) pair_.request.clear();  // that of an earlier phase
        result_.may_be_made_later = may_be_made_later(request.error());
        const bool waits_for_it = result_.may_be_made_later && name_ != PhaseName::first;
        const PhaseEnd end = begun_before ? PhaseEnd::parked : waits_for_it ? PhaseEnd::not_applied : PhaseEnd::refused;
        finish(end, request.error().text);
        return result_;
    }
    deadline_ = monotonic_now() + phase_.deadline;
    const PhaseInHand in_hand(pass_.activity, bench_.worker,
                              {pair_.item_key, step_.name, std::string(to_string(name_)), monotonic_now(), phase_.deadline});
    auto next = begun_before ? take_up() : Next::attempt;
    while (next && *next == Next::attempt) {
        const auto answer = attempt(*request);
        if (!answer) return std::unexpected(answer.error());
        next = judge(*answer);
    }
    if (!next) return std::unexpected(next.error());
    return result_;
}

/// What is sent: the journalled request where one may be on its way already, else a new one.
Result<RenderedRequest> PhaseCourse::request() {
    if (pair_.state == begun_state(name_)) {
        auto json = parse_json(pair_.request);
        if (json) return RenderedRequest{std::move(*json)};
        return fail(Failure::journal, "the journalled request cannot be read: " + pair_.request);
    }
    auto rendered = render_request(phase_.action, phase_.idempotency, scope_);
    if (!rendered) return rendered;
    pair_.request = to_text(rendered->json);
    // Attempts go on being counted where an earlier pass left off; another phase starts anew.
    if (pair_.state != not_applied_state(name_) || pair_.phase_begun_ms == 0) {
        pair_.attempt = 0;
        pair_.phase_begun_ms = wall_now_ms();
    }
    return rendered;
}

/// A run that is no more began this phase, and nobody knows what became of it.
Result<PhaseCourse::Next> PhaseCourse::take_up() {
    doubtful_ = true;
    const std::int64_t ago = std::max<std::int64_t>(0, wall_now_ms() - pair_.changed_ms);
    attempt_started_ = monotonic_now() - Millis{ago};
    Attempt unknown;
    unknown.reason = pair_.reason.empty() ? "interrupted, its answer is not known" : answer_in(pair_.reason);
    return settle(unknown);
}

Result<Attempt> PhaseCourse::attempt(RenderedRequest& request) {
    if (!pass_.lock.still_ours()) return std::unexpected(lock_lost(pass_.lock));
    ++attempts_;
    ++pair_.attempt;
    if (!doubtful_) {
        // What was turned away before has left nothing there: the API's memory of the key begins with what may take effect.
        pair_.phase_begun_ms = wall_now_ms();
        // A file may have been mended since; what is sent now is what a resend must be like.
        if (note_files(request.json)) pair_.request = to_text(request.json);
    }
    pair_.reason.clear();
    if (auto written = write(begun_state(name_), Durability::synced); !written) return std::unexpected(written.error());
    attempt_started_ = monotonic_now();
    AttemptOptions options;
    options.timeout = std::min(phase_.timeout, std::max(Millis{1}, Millis{millis_until(deadline_)}));
    options.resend = doubtful_;
    Attempt answer = perform(phase_, request, scope_, options, bench_);
    doubtful_ = doubtful_ || answer.sent_twice;
    result_.not_connected = answer.not_connected && (attempts_ == 1 || result_.not_connected);
    pair_.reason = answer.reason;
    if (log::shows(log::Level::debug)) {
        say(log::Level::debug, fmt::format("attempt {}: {} ({})", pair_.attempt, to_string(answer.verdict), answer.reason),
            to_string(answer.verdict), attempt_started_);
    }
    return answer;
}

Result<PhaseCourse::Next> PhaseCourse::judge(const Attempt& attempt) {
    switch (attempt.verdict) {
        case Verdict::done: result_.outputs = attempt.outputs; return finish(PhaseEnd::done, attempt.reason);
        case Verdict::refused:
            // With a key the answer is that of the first attempt, replayed. Without one it speaks of this attempt only.
            if (doubtful_ && !phase_.idempotency) {
                return finish(PhaseEnd::parked, attempt.reason + "; but an earlier attempt may have taken effect");
            }
            return finish(PhaseEnd::refused, attempt.reason);
        case Verdict::not_applied:
            if (doubtful_) return settle(attempt);
            return certainly_not_applied(attempt);
        case Verdict::in_doubt: break;
    }
    doubtful_ = true;
    if (attempt.was_cut) return finish(PhaseEnd::cut, attempt.reason);
    if (attempt.park) return finish(PhaseEnd::parked, attempt.reason);
    return settle(attempt);
}

Result<PhaseCourse::Next> PhaseCourse::settle(const Attempt& attempt) {
    for (; policy_ < phase_.in_doubt.size(); ++policy_) {
        switch (phase_.in_doubt[policy_]) {
            case InDoubtPolicy::probe:
                switch (probe_until_settled()) {
                    case Probed::applied: return finish(PhaseEnd::done, "the probe found it applied");
                    case Probed::absent: {
                        doubtful_ = false;
                        Attempt absent = attempt;
                        absent.reason += "; the probe found nothing of it";
                        return certainly_not_applied(absent);
                    }
                    case Probed::cut: return finish(PhaseEnd::cut, attempt.reason);
                    case Probed::out_of_time:
                        // Nothing was heard against another try; but one that never gets an answer in time is as unclear as
                        // any.
                        if (unclear_.empty()) return finish(PhaseEnd::in_doubt, attempt.reason);
                        return in_doubt_or_parked(attempt.reason);
                    case Probed::unclear: break;  // the next policy
                }
                break;
            case InDoubtPolicy::resend:
                not_resent_ = why_no_resend();
                if (not_resent_.empty()) {
                    const Next next = pause_and_retry(attempt);
                    if (next == Next::end) return next;
                    not_resent_ = why_no_resend();  // the pause may have been a long one
                    if (not_resent_.empty()) return next;
                }
                break;
            case InDoubtPolicy::park: return in_doubt_or_parked(attempt.reason);
        }
    }
    return in_doubt_or_parked(attempt.reason);
}

/// No rule is left for this pass. A probe that was unclear today may be clear tomorrow, and is asked again until then.
PhaseCourse::Next PhaseCourse::in_doubt_or_parked(const std::string& reason) {
    std::string all = reason;
    if (!not_resent_.empty()) all.append(kNotResent).append(not_resent_);
    if (unclear_.empty()) return finish(PhaseEnd::parked, std::move(all));
    all.append(kTheProbe).append(unclear_);
    return finish(began_within(terms_.park_after) ? PhaseEnd::in_doubt : PhaseEnd::parked, std::move(all));
}

/// What began in the future began while the clock was wrong, and nobody knows how long ago. Less than a minute ahead, the clock
/// was put right by so much.
bool PhaseCourse::began_within(Millis time) const {
    constexpr std::int64_t kPutRight = 60'000;
    const std::int64_t ago = wall_now_ms() - pair_.phase_begun_ms;
    return ago >= -kPutRight && ago < time.count();
}

std::string PhaseCourse::why_no_resend() const {
    const auto retention = phase_.idempotency ? phase_.idempotency->retention : std::nullopt;
    if (retention && !began_within(*retention))
        return "the API remembers its key for " + format_duration(*retention) + " (retention), and that is over";
    if (const auto request = parse_json(pair_.request)) {
        if (const auto file = changed_file(*request)) return *file + " is not what it was when it was sent";
    }
    // One that only ever ends in doubt, or takes us down with it, is not sent for ever.
    if (const int most = terms_.passes_for(name_); pair_.pair_attempts > most)
        return "it was in " + std::to_string(most) + " passes (maxPairAttempts)";
    return "";
}

PhaseCourse::Probed PhaseCourse::probe_until_settled() {
    const ProbeSpec& spec = *phase_.probe;
    // What has not arrived yet may still arrive: "absent" is believed only when the request has had its time.
    const MonotonicTime settled = attempt_started_ + spec.settle.value_or(phase_.timeout);
    for (;;) {
        const bool late_enough = monotonic_now() >= settled;
        const Millis left{millis_until(deadline_)};
        if (left <= Millis{0}) return Probed::out_of_time;
        ProbeOutcome outcome = probe(spec, scope_, left, bench_);
        say(log::Level::debug, "probe: " + outcome.reason, "probed", attempt_started_);
        if (attempts_ == 0) result_.not_connected = outcome.not_connected;
        if (pass_.stop.cut.fired()) return Probed::cut;
        switch (outcome.answer) {
            case ProbeOutcome::Answer::applied: result_.outputs = std::move(outcome.outputs); return Probed::applied;
            case ProbeOutcome::Answer::unclear:
                unclear_ = std::move(outcome.reason);
                return monotonic_now() < deadline_ ? Probed::unclear : Probed::out_of_time;
            case ProbeOutcome::Answer::absent: break;
        }
        if (late_enough) return Probed::absent;
        if (settled >= deadline_) return Probed::out_of_time;
        if (pass_.stop.cut.wait_until(settled)) return Probed::cut;
    }
}

Result<PhaseCourse::Next> PhaseCourse::certainly_not_applied(const Attempt& attempt) {
    // Journalled, so that a crash in the pause leaves nothing in doubt.
    if (auto written = write(not_applied_state(name_), Durability::ordered); !written) return std::unexpected(written.error());
    return pause_and_retry(attempt);
}

PhaseCourse::Next PhaseCourse::pause_and_retry(const Attempt& attempt) {
    result_.retry_after = attempt.retry_after;
    const PhaseEnd used_up = doubtful_ ? PhaseEnd::in_doubt : PhaseEnd::not_applied;
    if (attempts_ >= phase_.retry.max_attempts) return finish(used_up, attempt.reason);
    // What a dead run left has waited long enough.
    const Millis pause = attempts_ == 0 ? Millis{0} : retry_pause(phase_.retry, attempts_ + 1, attempt.retry_after);
    MonotonicTime next = monotonic_now() + pause;
    if (next >= deadline_) {
        // Our own pause gives way to one last whole attempt; the server's wish does not.
        next = deadline_ - phase_.timeout;
        const bool too_early = attempt.retry_after && monotonic_now() + *attempt.retry_after > next;
        if (too_early || next <= monotonic_now()) return finish(used_up, attempt.reason);
    }
    say(log::Level::info,
        fmt::format("{}; again in {} (attempt {} of {})", attempt.reason, describe_duration(Millis{millis_until(next)}),
                    attempts_ + 1, phase_.retry.max_attempts),
        to_string(attempt.verdict), attempt_started_);

    // Only where nothing has happened may a stop end the pair here; else the pair is finished first.
    const bool untouched = name_ == PhaseName::first && !doubtful_ && !terms_.in_midst;
    if (untouched && pass_.stop.requested.wait_until(next)) return finish(PhaseEnd::stopped, attempt.reason);
    if (pass_.stop.cut.wait_until(next)) return finish(PhaseEnd::cut, attempt.reason);
    return Next::attempt;
}

PhaseCourse::Next PhaseCourse::finish(PhaseEnd end, std::string reason) {
    result_.end = end;
    result_.reason = std::move(reason);
    return Next::end;
}

void PhaseCourse::say(log::Level level, const std::string& what, std::string_view outcome, MonotonicTime since) const {
    log::write(level, fmt::format("{} {} {}: {}", printable(pair_.item_key), step_.name, to_string(name_), what),
               {{"item", pair_.item_key},
                {"step", step_.name},
                {"phase", to_string(name_)},
                {"attempt", pair_.attempt},
                {"outcome", outcome},
                {"ms", std::chrono::duration_cast<Millis>(monotonic_now() - since).count()}});
}

Result<void> PhaseCourse::write(PairState state, Durability durability) {
    pair_.state = state;
    pair_.changed_ms = wall_now_ms();
    return pass_.journal.write(pair_, durability);
}

}  // namespace lockstep
