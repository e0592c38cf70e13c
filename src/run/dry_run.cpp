#include "run/dry_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/text.hpp"
#include "items/item_source.hpp"
#include "journal/journal_reader.hpp"
#include "run/request_trial.hpp"
#include "step/idempotency_key.hpp"
#include "step/request.hpp"
#include "step/workbench.hpp"
#include "sys/standard_streams.hpp"

namespace lockstep {

namespace {

class DryRun {
  public:
    DryRun(const JobSpec& job, const RunOptions& options)
        : job_(job), options_(options), run_id_(new_run_id()), run_date_(run_date_now()) {}

    ExitStatus run(const Interrupt& never) {
        auto journal = JournalReader::open({options_.state_directory, job_.name});
        if (!journal) return failed(journal.error());
        journal_ = std::move(*journal);
        Scope scope;
        scope.params = &job_.params;
        scope.run_id = run_id_;
        scope.run_date = run_date_;
        if (job_.items) {
            if (const auto* listing = std::get_if<ItemsSpec::Http>(&job_.items->source))
                return listed_by(listing->request, scope);
            if (const auto* listing = std::get_if<ItemsSpec::Command>(&job_.items->source))
                return listed_by(listing->command, scope);
        }
        Workbench bench;
        bench.cut = &never;
        // Keys are final texts; a scope without secrets would give templates, every '$' doubled.
        Scope listing = scope;
        listing.secret = [](std::string_view) { return fail(Failure::secret, "a dry run asks for no secret"); };
        auto items = open_items(job_, listing, 1, never, bench);
        if (!items) return failed(items.error());
        return every_item(**items, scope);
    }

  private:
    ExitStatus every_item(ItemSource& items, Scope& scope) {
        ExitStatus status = ExitStatus::ok;
        bool found = !options_.only;
        for (;;) {
            auto next = items.next();
            if (!next) return failed(next.error());
            if (!next->has_value()) break;
            if (const auto* bad = std::get_if<BadItem>(&**next)) {
                std::fprintf(stderr, "lockstep: %s\n", bad->what.c_str());
                status = ExitStatus::some_failed;
                continue;
            }
            const Item& item = std::get<Item>(**next);
            if (options_.only && item.key != *options_.only) continue;
            found = true;
            const auto end = one_item(item, scope);
            if (!end) return failed(end.error());
            status = graver(status, *end);
            if (auto said = say(); !said) return failed(said.error());
        }
        if (done_before_ > 0) text_ += "# " + std::to_string(done_before_) + " done before\n";
        if (auto said = say(); !said) return failed(said.error());
        if (!found) return failed({Failure::items, "no item has the key \"" + printable(*options_.only) + "\"", 0});
        return status;
    }

    /// What a run would do with it now. Error: Failure::journal.
    Result<ExitStatus> one_item(const Item& item, Scope& scope) {
        const auto pairs = journal_ ? journal_->pairs_of(item.key) : Result<std::vector<Pair>>();
        if (!pairs) return std::unexpected(pairs.error());
        const auto pair_of = [&](const StepSpec& step) {
            const auto pair = std::ranges::find(*pairs, step.name, &Pair::step);
            return pair == pairs->end() ? nullptr : &*pair;
        };
        const auto is_done = [&](const StepSpec& step) {
            const Pair* pair = pair_of(step);
            return pair != nullptr && pair->state == PairState::done;
        };
        if (std::ranges::all_of(job_.steps, is_done)) {
            ++done_before_;
            return ExitStatus::ok;
        }
        text_ += "# " + printable(item.key) + "\n";
        scope.inputs = &item.inputs;
        scope.item_key = item.key;
        scope.outputs_to_come = true;
        for (const StepSpec& step : job_.steps) {
            if (is_done(step)) {
                text_ += "# " + step.name + ": done before\n";
                continue;
            }
            const Pair* pair = pair_of(step);
            if (pair != nullptr && (is_open(pair->state) || pair->state == PairState::parked)) {
                const bool parked = pair->state == PairState::parked;
                text_ += "# " + step.name + ": " + std::string(to_string(pair->state)) +
                         (parked ? ", it waits for a person\n" : ", settled first, by the request that is journalled\n");
                return ExitStatus::ok;
            }
            const auto requests = requests_of(step, scope, pair != nullptr ? next_generation(*pair) : 0);
            if (!requests) {
                std::fprintf(stderr, "lockstep: %s: %s would not be begun, a request cannot be made of this item: %s\n",
                             printable(item.key).c_str(), step.name.c_str(), requests.error().text.c_str());
                return ExitStatus::some_failed;
            }
            text_ += *requests;
        }
        return ExitStatus::ok;
    }

    /// Of the attempt that a run would make of a pair of which nothing is open.
    static int next_generation(const Pair& pair) { return pair.generation + (has_failed(pair.state) ? 1 : 0); }

    /// Of its two phases, a line each; an error where a run would not begin it.
    Result<std::string> requests_of(const StepSpec& step, Scope scope, int generation) const {
        std::string key = idempotency_key(job_.name, scope.item_key, step.name, PhaseName::first, generation);
        scope.idempotency_key = key;
        if (const auto made = try_later_requests(step, scope); !made) return std::unexpected(made.error());
        std::string lines;
        for (const PhaseName name : {PhaseName::first, PhaseName::second}) {
            const PhaseSpec* phase = step.phase(name);
            if (phase == nullptr) continue;
            key = idempotency_key(job_.name, scope.item_key, step.name, name, generation);
            scope.idempotency_key = key;
            const auto request = render_request(phase->action, phase->idempotency, scope);
            if (!request) return fail(request.error().failure, fmt::format("{}: {}", to_string(name), request.error().text));
            lines += describe_request(*request) + "\n";
        }
        return lines;
    }

    /// What there is, before an error about a later item.
    Result<void> say() { return write_to_stdout(std::exchange(text_, "")); }

    ExitStatus listed_by(const ActionSpec& action, const Scope& scope) {
        const auto request = render_request(action, std::nullopt, scope);
        if (!request) return failed(request.error());
        text_ = "# items are listed by:\n" + describe_request(*request) + "\n";
        const auto said = say();
        return said ? ExitStatus::ok : failed(said.error());
    }

    ExitStatus failed(const Error& error) const {
        std::fprintf(stderr, "lockstep: %s: %s\n", job_.name.c_str(), error.text.c_str());
        return exit_status_of(error.failure);
    }

    const JobSpec& job_;
    const RunOptions& options_;
    const std::string run_id_;
    const std::string run_date_;
    std::optional<JournalReader> journal_;  ///< unset: the job never ran
    std::int64_t done_before_ = 0;
    std::string text_;  ///< not said yet
};

}  // namespace

int dry_run(const JobSpec& job, const RunOptions& options) {
    const auto never = Interrupt::create();
    if (!never) return to_int(ExitStatus::os);
    return to_int(DryRun(job, options).run(*never));
}

}  // namespace lockstep
