#include "run/job_guardian.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <system_error>
#include <thread>

#include "run/notifier.hpp"
#include "run/runner.hpp"
#include "run/stop_policy.hpp"
#include "run/stop_requests.hpp"
#include "sys/service_manager.hpp"
#include "sys/shutdown_delay.hpp"

namespace lockstep {

namespace {

/// What the main thread listens to.
struct Listening {
    StopState stop;
    Interrupt finished;  ///< the run is over
    Bell phase_begun;
    StopRequests requests;
    std::optional<SupervisorWatch> supervisor;  ///< as long as it has not answered

    static Result<Listening> open(const RunOptions& options, const GuardianLink& link) {
        auto stop = StopState::create();
        if (!stop) return std::unexpected(stop.error());
        auto finished = Interrupt::create();
        if (!finished) return std::unexpected(finished.error());
        auto phase_begun = Bell::create();
        if (!phase_begun) return std::unexpected(phase_begun.error());
        auto requests = StopRequests::open(link, false);
        if (!requests) return std::unexpected(requests.error());
        Listening all{std::move(*stop), std::move(*finished), std::move(*phase_begun), std::move(*requests), std::nullopt};
        if (!options.ask_supervisor) return all;
        if (auto watch = SupervisorWatch::start(options.ask_supervisor)) all.supervisor = std::move(*watch);
        return all;
    }
};

class JobGuardian {
  public:
    JobGuardian(const JobSpec& job, const RunOptions& options, const std::string& run_id, GuardianLink& link, Listening to)
        : link_(link),
          stop_(std::move(to.stop)),
          finished_(std::move(to.finished)),
          phase_begun_(std::move(to.phase_begun)),
          requests_(std::move(to.requests)),
          policy_(job.stop.grace, job.stop.at_deadline == AtDeadline::cut),
          delay_(ShutdownDelay::start(job.name + " finishes what it has begun")),
          runner_(job, options, run_id, stop_, *link.commands, phase_begun_, delay_),
          notifier_(options.watchdog),
          supervisor_(std::move(to.supervisor)),
          supervisor_limit_(options.supervisor_limit),
          strict_(options.strict),
          shows_progress_(options.progress && !options.loop && ::isatty(STDERR_FILENO) != 0) {}

    int run() {
        if (supervisor_ && supervisor_limit_.count() > 0 && supervisor_->wait(supervisor_limit_)) hear_supervisor();
        if (supervisor_ && strict_) log::info("the supervisor has not answered yet: begun meanwhile");
        if (refused_) return to_int(ExitStatus::job_file);
        ExitStatus status = ExitStatus::ok;
        std::thread worker;
        try {
            worker = std::thread([&] {
                status = runner_.run();
                finished_.fire();
            });
        } catch (const std::system_error& problem) {
            log::error("starting the run's thread: {}", problem.what());
            return to_int(ExitStatus::os);
        }
        while (!finished_.fired()) wait_for_something();
        worker.join();
        return to_int(refused_ ? graver(status, ExitStatus::job_file) : status);
    }

    bool was_stopped() const { return policy_.stopping(); }

  private:
    void wait_for_something() {
        const bool publishing = next_publication_ <= monotonic_now();
        const bool hears_logind = delay_ != nullptr && !policy_.stopping();
        enum Source : std::size_t { kPhaseBegun, kSupervisor, kLogind };  // the others only wake us
        pollfd wait[] = {{publishing ? phase_begun_.fd() : -1, POLLIN, 0},
                         {supervisor_ ? supervisor_->fd() : -1, POLLIN, 0},
                         {hears_logind ? delay_->announced().fd() : -1, POLLIN, 0},
                         {finished_.fd(), POLLIN, 0},
                         {requests_.from_kernel(), POLLIN, 0},
                         {requests_.from_front(), POLLIN, 0}};
        if (shows_progress_ && next_progress_ <= monotonic_now()) say_progress();
        if (link_.listened_to && notifier_.next() <= monotonic_now()) notify();
        auto wake_at = policy_.deadline();
        const auto wake_by = [&](MonotonicTime time) { wake_at = std::min(time, wake_at.value_or(time)); };
        if (shows_progress_) wake_by(next_progress_);
        if (link_.listened_to) wake_by(notifier_.next());
        if (!publishing) wake_by(next_publication_);
        ::poll(wait, std::size(wait), wake_at ? millis_until(*wake_at) : -1);
        if (wait[kPhaseBegun].revents != 0) publish_activity();
        if (wait[kSupervisor].revents != 0) hear_supervisor();
        if (wait[kLogind].revents != 0)
            act(policy_.on_request(StopRequest{}, monotonic_now()), "the machine is about to shut down");
        while (const auto request = requests_.next()) act(policy_.on_request(*request, monotonic_now()), describe(*request));
        if (policy_.deadline() && monotonic_now() >= *policy_.deadline()) pass_deadline();
    }

    void pass_deadline() {
        const std::string why =
            policy_.kill_is_first() ? "2s are left before SIGKILL by " + supervisor_name_ : "the grace is used up";
        act(policy_.on_deadline(), why);
    }

    /// What the supervisor will do is known: too short a patience is said once, with the line to write.
    void hear_supervisor() {
        const std::optional<SupervisorWord> word = supervisor_->word();
        supervisor_.reset();
        if (!word && strict_) log::warning("nobody tells how long the supervisor waits; --stop-timeout D says it");
        if (!word) return;
        supervisor_name_ = word->who;
        if (word->signals_commands) runner_.shield_commands();
        for (const std::string& warning : word->warnings) log::warning("{}", warning);
        if (word->gives_more) {
            if (!word->text.empty()) log::info("{}; it is asked for more time as long as it takes", word->text);
            return;
        }
        if (word->given) policy_.supervisor_waits(*word->given);
        if (policy_.stopping()) note_stop();
        if (word->text.empty()) return;
        refused_ = strict_ && word->too_short;
        log::write(refused_ ? log::Level::error : log::Level::warning,
                   word->text + (refused_ ? "; nothing is begun (--strict)" : ""));
        if (refused_) stop_.requested.fire();
    }

    /// Tells the lock's record who asked for a stop and until when it may take.
    void note_stop() {
        const auto wall = [](const std::optional<MonotonicTime>& time) {
            return time ? wall_now_ms() + std::chrono::duration_cast<Millis>(*time - monotonic_now()).count() : 0;
        };
        runner_.note_stopping({stopped_by_, wall(policy_.deadline()), wall(policy_.kill_at())});
    }

    void act(StopPolicy::Action action, const std::string& why) {
        const std::string in_hand = runner_.in_hand();
        const std::string finishing = in_hand.empty() ? "nothing is in hand" : "finishing " + in_hand;
        switch (action) {
            case StopPolicy::Action::begin:
                // The log line first: an idle run ends within milliseconds of the flag.
                log::info("{}: {}; {}", why.starts_with("SIG") ? "signal received" : "stop request", why, finishing);
                stop_.requested.fire();
                stopped_by_ = why;
                note_stop();
                notifier_.stopping(policy_.deadline());
                return;
            case StopPolicy::Action::say: say_again(why, in_hand); return;
            case StopPolicy::Action::ask:
                log::warning("{}: {}; press Ctrl-C once more within 5 s to cut it", why, finishing);
                return;
            case StopPolicy::Action::cut:
                log::error("{}: cutting {}", why, in_hand.empty() ? "nothing" : in_hand);
                stop_.cut.fire();
                return;
            case StopPolicy::Action::say_overtime: log::warning("{}; {} all the same", why, finishing); return;
        }
    }

    /// For whoever asks what is in hand. Where phases last a millisecond, nobody is served by a word about each.
    void publish_activity() {
        constexpr Millis kApart{100};
        next_publication_ = monotonic_now() + kApart;
        phase_begun_.silence();
        runner_.publish_activity();
    }

    /// For the service manager: at the start, about once a second while it changes, and with a wish for more time when
    /// stopping.
    void notify() {
        const std::string status = status_text();
        link_.tell(notifier_.message(monotonic_now(), policy_.stopping() ? "stopping; " + status : status));
    }

    std::string status_text() const {
        if (const std::string holder = runner_.waits_for(); !holder.empty()) return "waiting for the lock: " + holder;
        if (const std::string now = runner_.progress(); !now.empty()) return now;
        const std::string in_hand = runner_.in_hand();
        return in_hand.empty() ? "nothing in hand" : "in hand: " + in_hand;
    }

    /// For whoever watches a long run at a terminal.
    void say_progress() {
        constexpr Millis kApart{5000};
        next_progress_ = monotonic_now() + kApart;
        std::string now = runner_.progress();
        if (now.empty() || now == last_progress_) return;
        log::info("{}", now);
        last_progress_ = std::move(now);
    }

    void say_again(const std::string& why, const std::string& in_hand) {
        if (!already_stopping_line_.is_due()) return;
        const auto deadline = policy_.deadline();
        const std::string left =
            deadline ? ", " + describe_duration(Millis{millis_until(*deadline)}) + " of the grace left" : "";
        log::info("{}: already stopping; {}{}", why, in_hand.empty() ? "nothing is in hand" : "still finishing " + in_hand,
                  left);
    }

    GuardianLink& link_;
    StopState stop_;
    Interrupt finished_;
    Bell phase_begun_;
    StopRequests requests_;
    StopPolicy policy_;
    ShutdownDelay* delay_;
    Runner runner_;
    Notifier notifier_;
    std::optional<SupervisorWatch> supervisor_;
    const Millis supervisor_limit_;
    const bool strict_;
    bool refused_ = false;
    std::string supervisor_name_;
    std::string stopped_by_;
    const bool shows_progress_;
    MonotonicTime next_publication_{};
    MonotonicTime next_progress_ = monotonic_now() + Millis{5000};
    std::string last_progress_;
    RepeatedLine already_stopping_line_;
};

/// With a reader of ours who sleeps. Whoever waits for a stop has less of it.
constexpr Millis kPatience{2000};
constexpr Millis kPatienceOfAStop{500};

int cannot_start(const Error& error) {
    log::error("{}", error.text);
    log::finish(kPatience);
    return to_int(exit_status_of(error.failure));
}

}  // namespace

int guard_job(const JobSpec& job, const RunOptions& options, GuardianLink& link) {
    forget_service_manager();
    const std::string run_id = new_run_id();
    log::start({job.name, run_id, options.log_format, options.log_level});
    auto listening = Listening::open(options, link);
    if (!listening) return cannot_start(listening.error());
    JobGuardian guardian(job, options, run_id, link, std::move(*listening));
    const int status = guardian.run();
    log::finish(guardian.was_stopped() ? kPatienceOfAStop : kPatience);
    return status;
}

}  // namespace lockstep
