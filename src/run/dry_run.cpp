#include "run/dry_run.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "items/item_source.hpp"
#include "run/foreseen_journal.hpp"
#include "run/item_preview.hpp"
#include "run/unfinished_items.hpp"
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
        auto journal = ForeseenJournal::open({options_.state_directory, job_.name});
        if (!journal) return failed(journal.error());
        scope_.params = &job_.params;
        scope_.run_id = run_id_;
        scope_.run_date = run_date_;
        preview_.emplace(job_, options_.only, scope_, *journal);
        if (auto settled = what_is_unfinished(*journal); !settled) return failed(settled.error());
        if (auto listed = what_is_listed(never); !listed) return failed(listed.error());
        for (const auto& [key, inputs] : asked_for_) {
            if (auto shown = shown_and_said(preview_->show(key, inputs)); !shown) return failed(shown.error());
        }
        if (const auto done = preview_->done_before(); done > 0) {
            if (auto said = write_to_stdout("# " + std::to_string(done) + " done before\n"); !said) return failed(said.error());
        }
        if (options_.only && !found_)
            return failed({Failure::items, "no item has the key \"" + printable(*options_.only) + "\"", 0});
        return graver(status_, preview_->status());
    }

  private:
    /// The decisions that wait, and what earlier passes left.
    Result<void> what_is_unfinished(ForeseenJournal& journal) {
        std::string text;
        for (const AppliedDecision& one : journal.decisions()) {
            const Decision& decision = one.decision;
            text += fmt::format("# {}, {}: {} decided {}: {}\n", printable(decision.item_key), decision.step,
                                printable(decision.by), to_string(decision.verb), one.outcome);
        }
        if (auto said = write_to_stdout(text); !said) return said;
        auto pairs = journal.unfinished();
        if (!pairs) return std::unexpected(std::move(pairs.error()));
        for (const UnfinishedItem& item : unfinished_items(std::move(*pairs), options_.only)) {
            found_ = found_ || item.key == options_.only;
            if (item.begins_anew(job_)) {
                const auto found = journal.pairs_of(item.key);
                if (!found) return std::unexpected(found.error());
                if (found->empty()) continue;  // a run that is at work has been faster
                asked_for_.emplace(item.key, parse_json(found->front().item).value_or(Json::object()));
                continue;
            }
            settled_first_.insert(item.key);
            if (auto shown = shown_and_said(preview_->show(item)); !shown) return shown;
        }
        return {};
    }

    Result<void> what_is_listed(const Interrupt& never) {
        if (job_.items) {
            if (const auto* listing = std::get_if<ItemsSpec::Http>(&job_.items->source)) return listed_by(listing->request);
            if (const auto* listing = std::get_if<ItemsSpec::Command>(&job_.items->source)) return listed_by(listing->command);
        }
        Workbench bench;
        bench.cut = &never;
        // Keys are final texts; a scope without secrets would give templates, every '$' doubled.
        Scope listing = scope_;
        listing.secret = [](std::string_view) { return fail(Failure::secret, "a dry run asks for no secret"); };
        auto items = open_items(job_, listing, 1, never, bench);
        if (!items) return std::unexpected(std::move(items.error()));
        return every_item(**items);
    }

    Result<void> every_item(ItemSource& items) {
        for (;;) {
            auto next = items.next();
            if (!next) return std::unexpected(std::move(next.error()));
            if (!next->has_value()) return {};
            if (const auto* bad = std::get_if<BadItem>(&**next)) {
                if (options_.only) continue;
                std::fprintf(stderr, "lockstep: %s\n", bad->what.c_str());
                status_ = ExitStatus::some_failed;
                continue;
            }
            const Item& item = std::get<Item>(**next);
            const bool asked_for = asked_for_.erase(item.key) > 0;
            if (options_.only && item.key != *options_.only && !asked_for) continue;
            found_ = found_ || item.key == options_.only;
            if (settled_first_.contains(item.key)) continue;
            if (auto shown = shown_and_said(preview_->show(item.key, item.inputs)); !shown) return shown;
        }
    }

    /// What there is, before an error about a later item.
    Result<void> shown_and_said(const Result<void>& shown) {
        auto said = write_to_stdout(preview_->take_text());
        return shown ? said : shown;
    }

    Result<void> listed_by(const ActionSpec& action) {
        const auto request = render_request(action, std::nullopt, scope_);
        if (!request) return std::unexpected(request.error());
        found_ = true;  // for all that is known
        return write_to_stdout("# items are listed by:\n" + describe_request(*request) + "\n");
    }

    ExitStatus failed(const Error& error) const {
        std::fprintf(stderr, "lockstep: %s: %s\n", job_.name.c_str(), error.text.c_str());
        return exit_status_of(error.failure);
    }

    const JobSpec& job_;
    const RunOptions& options_;
    const std::string run_id_;
    const std::string run_date_;
    Scope scope_;  ///< what is the same for all items
    std::optional<ItemPreview> preview_;
    std::map<std::string, Json, std::less<>> asked_for_;  ///< to be begun anew, as its source lists it if it does
    std::set<std::string, std::less<>> settled_first_;
    bool found_ = false;  ///< the item that is named
    ExitStatus status_ = ExitStatus::ok;
};

}  // namespace

int dry_run(const JobSpec& job, const RunOptions& options) {
    const auto never = Interrupt::create();
    if (!never) return to_int(ExitStatus::os);
    return to_int(DryRun(job, options).run(*never));
}

}  // namespace lockstep
