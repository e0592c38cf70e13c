#include "run/runner.hpp"

#include "journal/sqlite_journal.hpp"
#include "journal/waiter_slot.hpp"
#include "lock/nested_use.hpp"
#include "run/notices.hpp"
#include "run/pass.hpp"
#include "sys/enclosing_runs.hpp"
#include "sys/idle_memory.hpp"
#include "sys/log.hpp"

namespace lockstep {

namespace {
constexpr Millis kLongPause{10'000};  // pages that come and go with every pass would cost more than they are worth
}  // namespace

Runner::Runner(const JobSpec& job, const RunOptions& options, std::string run_id, const StopState& stop, CommandTable& commands,
               Bell& begun, ShutdownDelay* delay)
    : job_(job),
      options_(options),
      stop_(stop),
      commands_(commands),
      delay_(delay),
      activity_(static_cast<std::size_t>(job.max_concurrency), begun),
      secrets_(job.secrets),
      run_id_(std::move(run_id)) {}

ExitStatus Runner::run() {
    const auto journal = sqlite_journal_path({options_.state_directory, job_.name});
    if (!journal) return failed(journal.error()).status;
    journal_path_ = *journal;
    if (options_.loop) return loop();
    log::info("run {}, journal {}", run_id_, journal_path_);
    return one_pass().status;
}

ExitStatus Runner::loop() {
    log::info("start daemon: run {}, journal {}", run_id_, journal_path_);
    ExitStatus status = ExitStatus::ok;
    while (!stop_.requested.fired()) {
        const PassResult result = one_pass();
        status = result.status;
        // Nothing that the next pass could find better: the supervisor is to know.
        const bool hopeless = status == ExitStatus::lock || status == ExitStatus::journal || status == ExitStatus::cut ||
                              status == ExitStatus::os || status == ExitStatus::job_file;
        if (hopeless) break;
        if (one_waits_already_ && passes_ == 0) return ExitStatus::try_again;
        status = ExitStatus::ok;
        if (options_.pause >= kLongPause) give_back_memory();
        stop_.requested.wait_until(monotonic_now() + options_.pause);
    }
    log::info("end daemon: {} {}", passes_, passes_ == 1 ? "pass" : "passes");
    return status;
}

PassResult Runner::failed(const Error& error) const {
    PassResult result;
    result.status = exit_status_of(error.failure);
    result.ended_because = error.text;
    result.begun = false;
    result.uneventful = error.failure == Failure::busy || error.failure == Failure::stopped;
    if (error.failure == Failure::busy) {
        if (!options_.loop) result.status = static_cast<ExitStatus>(options_.busy_status);
        if (options_.quiet) return result;
        options_.log_format == log::Format::json ? log::warning("{}", error.text)
                                                 : log::plain("lockstep: " + job_.name + ": " + error.text);
    } else if (error.failure == Failure::stopped) {
        if (!options_.loop) log::info("stopped before anything was begun");
    } else {
        log::error("{}", error.text);
    }
    return result;
}

PassResult Runner::one_pass() {
    const MonotonicTime started = monotonic_now();
    pass_date_ = run_date_now();
    PassResult result = locked_pass();
    const auto elapsed = std::chrono::duration_cast<Millis>(monotonic_now() - started);
    if (result.begun) say_summary(result, elapsed);
    if (result.uneventful) return result;
    CommandMarks marks(nullptr, commands_);
    send_notices({job_, run_id_, pass_date_, passes_, result, elapsed}, secrets_, stop_, marks);
    return result;
}

PassResult Runner::locked_pass() {
    if (stop_.requested.fired()) return failed({Failure::stopped, "stopped"});
    if (auto had = secrets_.resolve_all(job_.used_secrets); !had) return failed(had.error());
    auto lock = acquire();
    if (!lock) return failed(lock.error());
    if (delay_ != nullptr) delay_->hold(true);
    PassResult result = pass_under(*lock);
    {
        const std::lock_guard guard(record_mutex_);
        lock_ = nullptr;
    }
    if (auto released = lock->release(); !released) {
        log::error("{}", released.error().text);
        result.end_with(ExitStatus::lock, released.error().text);
    }
    if (delay_ != nullptr) delay_->hold(false);
    return result;
}

Result<DirectoryLock> Runner::acquire() {
    const auto path = LockPath::open(job_.lock);
    if (!path) return std::unexpected(path.error());
    if (auto other = refuse_nested_use(*path, enclosing_runs()); !other) return std::unexpected(std::move(other.error()));
    {
        const std::lock_guard guard(record_mutex_);
        record_ = LockRecord{};
        record_.run_id = run_id_;
        record_.job = job_.name;
        record_.journal = journal_path_;
        record_.guardian_pid = ::getpid();
        record_.front_pid = ::getppid();
    }
    // Held until the lock is ours, and given up before the first item is read: whoever leaves because of us misses nothing.
    std::optional<PidFileLock> slot;
    if (options_.coalesce) {
        auto taken = take_waiter_slot(options_.state_directory, job_.name);
        one_waits_already_ = !taken && taken.error().failure == Failure::busy;
        if (!taken) return std::unexpected(std::move(taken.error()));
        slot = std::move(*taken);
    }
    LockWait wait;
    wait.limit = options_.loop ? std::nullopt : options_.wait;
    wait.wake_fd = stop_.requested.fd();
    wait.on_wait = [this](const std::string& holder) {
        log::info("waiting for the lock: {}", holder);
        const std::lock_guard guard(record_mutex_);
        waits_for_ = holder;
    };
    auto lock = DirectoryLock::acquire(*path, record_, wait);
    {
        const std::lock_guard guard(record_mutex_);
        waits_for_.clear();
        if (lock) record_ = lock->record();
    }
    if (!lock) return lock;
    if (const auto& dead = lock->adopted()) {
        log::warning("took over the lock that {} left behind", describe_dead_run(dead->record));
    }
    return lock;
}

PassResult Runner::pass_under(DirectoryLock& lock) {
    // The last moment at which a stop leaves everything untouched.
    if (stop_.requested.fired()) return failed({Failure::stopped, "stopped"});
    if (++passes_ == 1) started_ms_ = wall_now_ms();
    {
        const std::lock_guard guard(record_mutex_);
        lock_ = &lock;
    }
    PruneRules prune;
    prune.keep_history = job_.keep_history;
    prune.items_come_once = !job_.items && !job_.key;
    prune.forget_items = job_.forget_items;
    auto ended = Interrupt::create();
    if (!ended) return failed(ended.error());
    auto journal = open_sqlite_journal({options_.state_directory, job_.name, prune});
    if (!journal) return failed(journal.error());
    CommandMarks marks(&lock, commands_);
    PassContext context{job_,      run_id_,       pass_date_,       **journal,        lock, stop_, secrets_,
                        activity_, options_.only, shield_commands_, std::move(*ended)};

    RunStart start{run_id_, started_ms_, ::getpid(), record_.host, options_.loop ? "loop" : "run", lock.path(), 0, job_.name};
    if (job_.expect_every) start.expect_every_ms = job_.expect_every->count();
    start.pass = passes_;
    start.pass_begun_ms = wall_now_ms();
    // At every pass, for a pass that is killed is not told otherwise; and the journal may be another by now, made anew or
    // pruned by a run that came in between.
    if (auto begun = (*journal)->begin_run(start); !begun) return failed(begun.error());
    PassResult result = Pass(context, marks, passes_).run();
    if (auto closed = (*journal)->close(); !closed) result.end_with(std::move(closed.error()));
    if (result.error) log::error("{}", result.error->text);
    return result;
}

void Runner::say_summary(const PassResult& result, Millis elapsed) const {
    const std::string text = summary_text(result, elapsed);
    const auto say = [&](log::Level level) {
        const PassTotals& all = result.totals;
        log::write(level, text,
                   {{"pass", passes_},
                    {"outcome", result.ended_because},
                    {"done", all.done},
                    {"failed", all.failed},
                    {"parked", all.parked},
                    {"left", all.left},
                    {"skipped", all.skipped},
                    {"recovered", all.recovered},
                    {"open", all.open},
                    {"ms", elapsed.count()}});
    };
    // A loop that finds nothing to do says so only on request, or its log would be nothing else.
    const bool trouble = has_new_trouble(result);
    const bool idle = options_.loop && result.totals.done == 0 && !trouble;
    // cron mails what is said at a run: what waits since an earlier one was told by that.
    if (result.status != ExitStatus::ok && trouble) {
        say(log::Level::warning);
    } else if (idle) {
        say(log::Level::debug);
    } else {
        say(log::Level::info);
    }
}

std::string Runner::waits_for() const {
    const std::lock_guard guard(record_mutex_);
    return waits_for_;
}

void Runner::publish_activity() {
    std::string phase = activity_.brief();
    const std::lock_guard guard(record_mutex_);
    if (lock_ == nullptr || record_.phase == phase) return;
    record_.phase = std::move(phase);
    (void)lock_->update(record_);
}

void Runner::note_stopping(const StopNote& note) {
    const std::lock_guard guard(record_mutex_);
    if (lock_ == nullptr) return;
    if (record_.stopping_since_ms == 0) record_.stopping_since_ms = wall_now_ms();
    record_.stopping_by = note.by;
    record_.stop_by_ms = note.stop_by_ms;
    record_.kill_at_ms = note.kill_at_ms;
    (void)lock_->update(record_);
}

}  // namespace lockstep
