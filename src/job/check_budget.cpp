// How long a phase and a pair may take: known before anything runs.

#include <algorithm>
#include <cmath>

#include "job/read.hpp"

namespace lockstep {

namespace {

/// All attempts, each to its timeout, the pauses between them at their longest, and time to ask what became of the last one.
Millis longest_course(const PhaseSpec& phase) {
    const RetrySpec& retry = phase.retry;
    const auto most = static_cast<double>(retry.max_interval.count());
    double pause = static_cast<double>(retry.initial_interval.count());
    double sum = static_cast<double>(phase.timeout.count()) * retry.max_attempts;
    for (int i = 1; i < retry.max_attempts; ++i) {
        sum += std::min(pause, most);
        pause = std::min(pause, most) * retry.backoff_rate;
    }
    if (phase.probe) sum += static_cast<double>(phase.probe->timeout.count());
    return std::min(kLongestDuration, Millis{std::llround(std::min(sum, 1e15))});
}

}  // namespace

void read_deadline(Reading& reading, const Fields& fields, PhaseSpec& phase) {
    const auto place = fields.get("deadline");
    const auto deadline = read_duration(reading.findings, place);
    if (place && !deadline) reading.budget_known = false;
    phase.deadline = deadline.value_or(longest_course(phase));
    const bool timeout_known =
        fields.has("timeout") ? parse_duration(fields.get("timeout")->json->text).has_value() : phase.http() != nullptr;
    if (!deadline || !timeout_known || *deadline >= phase.timeout) return;
    const std::string timeout =
        (fields.has("timeout") ? "" : "default ") + std::string("timeout of ") + format_duration(phase.timeout);
    reading.findings.add(*place, "the deadline of " + format_duration(*deadline) + " is shorter than the " + timeout,
                         "the deadline holds for all attempts together");
}

void read_grace(Reading& reading, const std::optional<Place>& grace, JobSpec& job) {
    const auto stated = read_duration(reading.findings, grace);
    const Millis longest = job.longest_pair();
    job.stop.grace = stated.value_or(longest);
    if (!stated || !reading.budget_known || *stated >= longest) return;
    const std::string whole = job.section == Section::item ? "the steps of an item" : "the longest pair";
    reading.findings.add(
        *grace, whole + " can take " + format_duration(longest) + ", longer than a grace of " + format_duration(*stated),
        "write at least \"" + format_duration(longest) + "\", shorten the deadlines, or leave grace out");
}

}  // namespace lockstep
