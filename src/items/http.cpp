#include <fmt/format.h>

#include "base/text.hpp"
#include "items/digests.hpp"
#include "items/link_header.hpp"
#include "items/records.hpp"
#include "items/url.hpp"
#include "step/perform.hpp"
#include "step/retry.hpp"
#include "sys/log.hpp"

namespace lockstep {
namespace {

class HttpRecords final : public RecordSource {
  public:
    HttpRecords(const ItemsSpec::Http& spec, const Scope& base, const Interrupt& stop, Workbench& bench)
        : spec_(spec), base_(base), stop_(stop), bench_(bench), request_(spec.request) {}

    Result<void> fetch_first_page() {
        auto url = render(spec_.request.url, base_, Quoting::percent);
        if (!url) return fail(Failure::items, "the URL that lists the items: " + url.error().text);
        url_ = std::move(*url);
        return fetch();
    }

    NextRecord next() override {
        while (at_ == page_.elements.size()) {
            if (next_url_.empty()) return std::nullopt;
            if (auto moved = move_on(); !moved) return std::unexpected(std::move(moved.error()));
            if (auto fetched = fetch(); !fetched) return std::unexpected(std::move(fetched.error()));
        }
        Json element = std::move(page_.elements[at_++]);
        std::string place = fmt::format("{}: item {}", here(), at_);
        if (!element.is_object()) {
            return BadItem{fmt::format("{}: an item must be a JSON object, not {}", place, printable(to_text(element), 40))};
        }
        return Record{std::move(element), std::move(place)};
    }

  private:
    std::string here() const { return printable(url_for_people(url_)); }

    std::unexpected<Error> failed(const std::string& what) const {
        return fail(Failure::items, fmt::format("listing the items: {} {}: {}", request_.method, here(), what));
    }

    Result<void> move_on() {
        const std::string before = url_origin(url_);
        std::string url = resolve_url(url_, next_url_);
        // The request carries the job's secrets: they are for the server that the job file names.
        if (url_origin(url) != before)
            return failed(fmt::format("the next page is on another server ({})", printable(url_origin(url))));
        url_ = std::move(url);
        Template literal;
        literal.parts.push_back({false, url_, {}});
        literal.source = url_;
        request_.url = std::move(literal);
        request_.query.clear();  // the URL has its own
        return {};
    }

    Result<void> fetch() {
        // The first page's URL may lack its query here, and be another page's without.
        if (request_.query.empty() && !visited_.insert(url_))
            return failed("this page was listed already: `next` goes in a circle");
        const auto fetched = fetch_answer();
        if (!fetched) return std::unexpected(fetched.error());
        const Answer& answer = *fetched;
        if (answer.body_json() == nullptr) return failed("the answer is not JSON: " + printable(answer.body, 120));
        Scope scope = base_;
        scope.answer = &answer;
        auto page = evaluate(spec_.select, scope);
        if (!page || !page->is_array())
            return failed(fmt::format("`select` ({}) finds no array in the answer", spec_.select.source));
        page_ = std::move(*page);
        at_ = 0;
        return find_next(scope);
    }

    /// A page that fails for a moment costs a moment, not the pass. A server that asks for more patience than a phase would
    /// have is left alone until the next pass.
    Result<Answer> fetch_answer() {
        const RetrySpec retry;
        for (int next_attempt = 2;; ++next_attempt) {
            auto listing = fetch_listing(request_, base_, spec_.timeout, stop_, bench_);
            if (listing) return std::move(*listing);
            NoListing& nothing = listing.error();
            const Millis pause = retry_pause(retry, next_attempt, nothing.retry_after);
            if (!nothing.may_pass || next_attempt > retry.max_attempts || pause > retry.max_interval)
                return std::unexpected(std::move(nothing.error));
            log::info("{}; again in {} (attempt {} of {})", nothing.error.text, describe_duration(pause), next_attempt,
                      retry.max_attempts);
            if (stop_.wait_until(monotonic_now() + pause)) return fail(Failure::stopped, "listing the items: stopped");
        }
    }

    Result<void> find_next(const Scope& scope) {
        next_url_.clear();
        if (!spec_.next) return {};
        const auto next = evaluate(*spec_.next, scope);
        if (!next || next->is_null()) return {};
        if (!next->is_string())
            return failed(fmt::format("`next` ({}) is not a URL: {}", spec_.next->source, printable(to_text(*next), 60)));
        if (spec_.next->kind != Expression::Kind::response_header || lower_case(spec_.next->name) != "link") {
            next_url_ = next->text;
            return {};
        }
        auto link = next_link(next->text);
        if (!link) return failed("`next`: " + link.error().text);
        next_url_ = std::move(*link);
        return {};
    }

    const ItemsSpec::Http& spec_;
    const Scope base_;
    const Interrupt& stop_;
    Workbench& bench_;
    HttpSpec request_;
    std::string url_;
    std::string next_url_;  // as the page gave it
    SeenTexts visited_;
    Json page_;
    std::size_t at_ = 0;
};

}  // namespace

Result<std::unique_ptr<RecordSource>> http_records(const ItemsSpec::Http& spec, const Scope& base, const Interrupt& stop,
                                                   Workbench& bench) {
    auto records = std::make_unique<HttpRecords>(spec, base, stop, bench);
    if (auto fetched = records->fetch_first_page(); !fetched) return std::unexpected(std::move(fetched.error()));
    return records;
}

}  // namespace lockstep
