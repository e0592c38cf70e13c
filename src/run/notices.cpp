#include "run/notices.hpp"

#include <poll.h>

#include <algorithm>
#include <system_error>
#include <thread>

#include "lock/own_identity.hpp"
#include "step/action_end.hpp"
#include "step/perform.hpp"
#include "step/request.hpp"
#include "sys/log.hpp"

namespace lockstep {

namespace {

constexpr Millis kWhenStopping{2000};
constexpr int kMostAttempts = 3;
constexpr Millis kPause{500};

/// The summary itself goes where nothing else was said: into a body, or to a command's stdin.
void put_in(const Json& summary, const ActionSpec& action, RenderedRequest& request) {
    if (const auto* http = std::get_if<HttpSpec>(&action)) {
        const bool has_body = http->body || http->body_file || !http->form.empty() || !http->multipart.empty();
        if (has_body || (http->method != "POST" && http->method != "PUT" && http->method != "PATCH")) return;
        Json sent = *request.json.find("http");
        Json headers = *sent.find("headers");
        Json type = Json::array();
        type.push(Json::of_string("Content-Type"));
        type.push(Json::of_string("application/json"));
        headers.push(std::move(type));
        sent.set("headers", std::move(headers));
        sent.set("body", Json::of_string(to_text(summary)));
        request.json.set("http", std::move(sent));
    } else if (!std::get<CommandSpec>(action).stdin_text) {
        Json started = *request.json.find("command");
        started.set("stdin", Json::of_string(to_text(summary) + "\n"));
        request.json.set("command", std::move(started));
    }
}

bool taken(const ActionEnd& end) {
    return end.answered && (end.answer.exit_status == 0 || is_2xx(end.answer.status_code.value_or(0)));
}

/// An interrupt that fires two seconds after a stop request, whenever that comes, and at once with a cut: notices are sent when
/// the work is over, and nobody counts on them to last.
class Hurry {
  public:
    explicit Hurry(const StopState& stop) : stop_(stop) {
        auto over = Interrupt::create();
        auto late = Interrupt::create();
        if (!over || !late) return;  // no descriptors left: a stop waits for the timeout, then
        over_.emplace(std::move(*over));
        late_.emplace(std::move(*late));
        try {
            watch_ = std::thread([this] { watch(); });
        } catch (const std::system_error&) {
            late_.reset();  // no thread: as without descriptors
        }
    }
    Hurry(const Hurry&) = delete;
    Hurry& operator=(const Hurry&) = delete;
    ~Hurry() {
        if (over_) over_->fire();
        if (watch_.joinable()) watch_.join();
    }

    const Interrupt& interrupt() const { return late_ ? *late_ : stop_.cut; }

  private:
    /// @return what is readable first, or -1 when the time is up
    int wait(int first, int second, int timeout) const {
        pollfd wait[2] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
        if (::poll(wait, 2, timeout) <= 0) return -1;
        return wait[0].revents != 0 ? first : second;
    }

    void watch() {
        if (wait(over_->fd(), stop_.requested.fd(), -1) == over_->fd()) return;
        if (wait(over_->fd(), stop_.cut.fd(), static_cast<int>(kWhenStopping.count())) != over_->fd()) late_->fire();
    }

    const StopState& stop_;
    std::optional<Interrupt> over_;
    std::optional<Interrupt> late_;
    std::thread watch_;
};

class Messenger {
  public:
    Messenger(const PassStory& story, const SecretStore& secrets, const StopState& stop, CommandHost& commands)
        : secrets_(secrets), stop_(stop), hurry_(stop), summary_(summary_of(story)) {
        bench_.commands = &commands;
        bench_.cut = &hurry_.interrupt();
        bench_.shield = true;  // so that a cut ends a command at once
        scope_.inputs = &summary_;
        scope_.params = &story.job.params;
        scope_.run_id = story.run_id;
        scope_.run_date = story.run_date;
        scope_.made_by = story.run_id;
        scope_.secret = [&secrets](std::string_view name) { return secrets.resolve(name); };
    }

    void send(const char* name, const NoticeSpec& notice) {
        if (hurry_.interrupt().fired()) return;
        auto request = render_request(notice.action, std::nullopt, scope_);
        if (!request) return log::warning("{} was not sent: {}", name, request.error().text);
        put_in(summary_, notice.action, *request);
        if (const std::string why = try_to_send(*request, monotonic_now() + notice.timeout); !why.empty())
            log::warning("{} was not taken: {}", name, secrets_.redact(why));
    }

  private:
    /// "", or why not.
    std::string try_to_send(const RenderedRequest& request, MonotonicTime deadline) {
        for (int attempt = 1;; ++attempt) {
            const Millis left{millis_until(deadline)};
            SecretKeeper keeper(scope_);
            const ActionEnd end =
                run_action(request, keeper, {.timeout = std::max(Millis{1}, left), .cut = bench_.cut}, bench_);
            if (taken(end)) return "";
            const MonotonicTime next = monotonic_now() + kPause * attempt;
            // Who waits for our end is not kept waiting for a second try.
            if (attempt == kMostAttempts || next >= deadline || stop_.requested.wait_until(next)) return end.reason();
        }
    }

    const SecretStore& secrets_;
    const StopState& stop_;
    const Hurry hurry_;
    Json summary_;
    Scope scope_;
    Workbench bench_;
};

}  // namespace

bool has_new_trouble(const PassResult& result) {
    const PassTotals& totals = result.totals;
    return result.error || totals.failed + totals.parked + totals.open > result.told_before + result.not_reached ||
           (result.status != ExitStatus::ok && result.status != ExitStatus::some_failed);
}

Json summary_of(const PassStory& story) {
    const PassTotals& totals = story.result.totals;
    Json summary = Json::object();
    summary.set("job", Json::of_string(story.job.name));
    summary.set("run", Json::of_string(story.run_id));
    summary.set("pass", Json::of_number(story.number));
    summary.set("host", Json::of_string(std::string(own_identity().host.view())));
    summary.set("startedAt", Json::of_string(format_utc(wall_now_ms() - story.elapsed.count())));
    summary.set("ms", Json::of_number(story.elapsed.count()));
    summary.set("result", Json::of_number(to_int(story.result.status)));
    summary.set("because", Json::of_string(story.result.ended_because));
    summary.set("done", Json::of_number(totals.done));
    summary.set("failed", Json::of_number(totals.failed));
    summary.set("parked", Json::of_number(totals.parked));
    summary.set("left", Json::of_number(totals.left));
    summary.set("skipped", Json::of_number(totals.skipped));
    summary.set("open", Json::of_number(totals.open));
    summary.set("recovered", Json::of_number(totals.recovered));
    summary.set("failedItems", Json::of_strings(story.result.failed_items));
    summary.set("parkedItems", Json::of_strings(story.result.parked_items));
    return summary;
}

void send_notices(const PassStory& story, const SecretStore& secrets, const StopState& stop, CommandHost& commands) {
    const JobSpec& job = story.job;
    const ExitStatus status = story.result.status;
    // Busy, or stopped with work left: neither a success nor a failure.
    const bool undecided = status == ExitStatus::try_again;
    const bool only_parked = !story.result.error && story.result.failed_items.empty() && !story.result.parked_items.empty();
    const bool told_otherwise = only_parked && job.on_parked;
    // What `check --overdue` counts as a success, too: not the one item that was named.
    const bool succeeded = status == ExitStatus::ok && story.result.begun && story.result.ended_because == kAllItemsDone;
    const bool failed = !undecided && status != ExitStatus::ok && has_new_trouble(story.result) && !told_otherwise;
    struct Due {
        const char* name;
        const std::optional<NoticeSpec>& notice;
        bool now;
    };
    const Due all[] = {{"onFailure", job.on_failure, failed},
                       {"onParked", job.on_parked, !story.result.parked_items.empty()},
                       {"onRecovered", job.on_recovered, story.result.totals.recovered > 0},
                       {"heartbeat", job.heartbeat, succeeded}};
    const auto is_due = [](const Due& due) { return due.now && due.notice; };
    // A pass of which nobody is told costs no summary and no thread.
    if (std::ranges::none_of(all, is_due)) return;
    Messenger messenger(story, secrets, stop, commands);
    for (const Due& due : all) {
        if (is_due(due)) messenger.send(due.name, *due.notice);
    }
}

}  // namespace lockstep
