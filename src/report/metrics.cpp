#include "report/metrics.hpp"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "report/history.hpp"

namespace lockstep {

namespace {

/// One value of a metric, with its own label if it has several.
struct Sample {
    std::string label;  ///< `state="open"`, or ""
    std::string value;
};
using Samples = std::vector<Sample>;

Samples count(std::int64_t number) { return {{"", std::to_string(number)}}; }

Samples seconds(std::int64_t ms) { return {{"", fmt::format("{}.{:03}", ms / 1000, ms % 1000)}}; }

Samples flag(bool is_so) { return count(is_so ? 1 : 0); }

Sample labelled(const char* label, const char* name, std::int64_t number) {
    return {fmt::format("{}=\"{}\"", label, name), std::to_string(number)};
}

Samples pairs(const JobStatus& job) {
    return {labelled("state", "done", job.done), labelled("state", "failed", job.failed_count),
            labelled("state", "open", std::ssize(job.open)), labelled("state", "parked", std::ssize(job.parked))};
}

Samples items(const JobStatus& job) {
    if (!job.last_pass) return {};
    const PassTotals& totals = job.last_pass->totals;
    Samples samples;
    for (const auto& [name, number] :
         {std::pair{"done", totals.done}, std::pair{"failed", totals.failed}, std::pair{"parked", totals.parked},
          std::pair{"open", totals.open}, std::pair{"left", totals.left}, std::pair{"skipped", totals.skipped}}) {
        samples.push_back(labelled("result", name, number));
    }
    return samples;
}

struct Metric {
    const char* name;
    const char* help;
    Samples (*of)(const JobStatus& job, std::int64_t now_ms);
};

constexpr Metric kMetrics[] = {
    {"lock_held", "Whether a run, or somebody else, holds the job's lock.",
     [](const JobStatus& job, std::int64_t) {
         return flag(job.lock.state == LockState::held || job.lock.state == LockState::shared ||
                     job.lock.state == LockState::foreign);
     }},
    {"lock_waiters", "How many wait for the lock; of one that a script has made, nobody can tell.",
     [](const JobStatus& job, std::int64_t) {
         const auto waiters = job.lock.waiters();
         return waiters ? count(static_cast<std::int64_t>(*waiters)) : Samples();
     }},
    {"stop_requested_timestamp_seconds", "When the run in hand was asked to stop.",
     [](const JobStatus& job, std::int64_t) {
         const bool stopping = job.lock.record && job.lock.record->stopping_since_ms > 0;
         return stopping ? seconds(job.lock.record->stopping_since_ms) : Samples();
     }},
    {"pairs", "Pairs in the journal: parked ones wait for a person, failed ones are tried again.",
     [](const JobStatus& job, std::int64_t) { return pairs(job); }},
    {"decisions_waiting", "Decisions of people that the next pass applies.",
     [](const JobStatus& job, std::int64_t) { return count(std::ssize(job.waiting)); }},
    {"last_success_timestamp_seconds", "When the last pass ended that left nothing failed, parked, open or undone.",
     [](const JobStatus& job, std::int64_t) { return job.last_success ? seconds(job.last_success->ended_ms) : Samples(); }},
    {"expected_every_seconds", "At most this from the end of one success to the end of the next (expectEvery).",
     [](const JobStatus& job, std::int64_t) { return job.expect_every ? seconds(job.expect_every->count()) : Samples(); }},
    {"overdue", "Whether a success is overdue.",
     [](const JobStatus& job, std::int64_t now_ms) {
         return job.expect_every ? flag(is_overdue(expectation_of(job), now_ms)) : Samples();
     }},
    {"last_pass_timestamp_seconds", "When the newest pass ended, however it did.",
     [](const JobStatus& job, std::int64_t) { return job.last_pass ? seconds(job.last_pass->ended_ms) : Samples(); }},
    {"last_pass_duration_seconds", "How long the newest pass took.",
     [](const JobStatus& job, std::int64_t) { return job.last_pass ? seconds(duration_ms(*job.last_pass)) : Samples(); }},
    {"last_pass_items", "Items of the newest pass.", [](const JobStatus& job, std::int64_t) { return items(job); }},
};

}  // namespace

std::string metrics_text(std::span<const JobStatus> jobs, std::int64_t now_ms) {
    std::string text;
    for (const Metric& metric : kMetrics) {
        std::string lines;
        for (const JobStatus& job : jobs) {
            for (const Sample& sample : metric.of(job, now_ms)) {
                const std::string more = sample.label.empty() ? "" : "," + sample.label;
                lines += fmt::format("lockstep_{}{{lockstep_job=\"{}\"{}}} {}\n", metric.name, job.job, more, sample.value);
            }
        }
        if (lines.empty()) continue;
        text += fmt::format("# HELP lockstep_{0} {1}\n# TYPE lockstep_{0} gauge\n{2}", metric.name, metric.help, lines);
    }
    return text;
}

}  // namespace lockstep
