#include "cli/run_command.hpp"

#include <unistd.h>

#include <optional>

#include "cli/check_command.hpp"
#include "run/dry_run.hpp"
#include "run/front.hpp"
#include "run/job_guardian.hpp"
#include "supervise/own_supervisor.hpp"
#include "sys/idle_memory.hpp"
#include "sys/service_manager.hpp"

namespace lockstep {

namespace {

struct Job {
    const JobSpec& spec;
    const RunOptions& options;
};

/// The manager listens to the main process of a unit only, and that is the front.
class ManagerListener final : public FrontListener {
  public:
    explicit ManagerListener(const ServiceManager& manager) : manager_(manager) {}
    void told(const char* text) override { manager_.tell(text); }

  private:
    const ServiceManager& manager_;
};

/// As the guardian's own lines, for what reads those. The run's id is the guardian's, and not known to us.
class JsonVoice final : public FrontVoice {
  public:
    explicit JsonVoice(const std::string& job) : job_(job) {}
    void say(std::string_view line) override {
        log::say_now({.job = job_, .run_id = "", .format = log::Format::json}, log::Level::error, line);
    }

  private:
    const std::string& job_;
};

/// Who has started us, and what it will do when it stops us; asked in the guardian, which tells.
void watch_supervisor(const JobSpec& job, std::optional<Millis> declared_wait, bool is_heard, RunOptions& options) {
    const SupervisedRun run{find_who_runs_us(), ::getpid(), ::getppid(), is_heard, declared_wait};
    if (run.by.kind == RunBy::Kind::person && !declared_wait) return;
    const bool systemd = run.by.kind == RunBy::Kind::systemd;
    // The first command is to know whether a stop would be signalled to it, too.
    if (options.strict || systemd) options.supervisor_limit = Millis{50};
    options.ask_supervisor = [&job, run] {
        constexpr Millis kPatient{5000};
        return ask_own_supervisor(job, run, kPatient);
    };
}

int guardian(GuardianLink& link, void* context) {
    const auto& job = *static_cast<const Job*>(context);
    return guard_job(job.spec, job.options, link);
}

}  // namespace

int run_command(const InheritedSignals& inherited, RunArguments& arguments) {
    auto job = read_job_file(arguments.job_file, arguments.file);
    if (!job) return report_problems(arguments.job_file, job.error(), arguments.options.log_format);
    RunOptions& options = arguments.options;
    std::optional<JsonVoice> voice;
    if (options.log_format == log::Format::json) voice.emplace(job->name);
    FrontDuties duties{.voice = voice ? &*voice : nullptr};
    if (arguments.max_concurrency) job->max_concurrency = *arguments.max_concurrency;
    if (options.quiet && options.log_level < log::Level::warning) options.log_level = log::Level::warning;
    if (options.loop) {
        const auto wrong = [&](const std::string& line) {
            voice ? voice->say(line) : log::plain("lockstep: " + job->name + ": " + line);
            return to_int(ExitStatus::usage);
        };
        const auto pause = arguments.every ? arguments.every : job->every;
        if (!pause) return wrong("loop needs a pause between passes: give --every 3s, or \"every\" in the job file");
        // Every pass but the first would find no item, try again none that failed, and pass for a success.
        if (job->items && job->items->from_stdin())
            return wrong("the items come from stdin, which is there for one pass only: use run");
        options.pause = *pause;
    }
    if (arguments.dry_run) return dry_run(*job, options);
    if (options.loop) give_back_memory();  // the front sleeps from now on
    Job context{*job, options};
    const auto manager = ServiceManager::find();
    watch_supervisor(*job, arguments.stop_timeout, manager.has_value(), options);
    if (!manager) return run_in_guardian(inherited, job->name.c_str(), guardian, &context, duties);
    options.watchdog = manager->watchdog();
    ManagerListener listener(*manager);
    duties.listener = &listener;
    return run_in_guardian(inherited, job->name.c_str(), guardian, &context, duties);
}

}  // namespace lockstep
