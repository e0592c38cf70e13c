// Source: crontab(5) and cron(8) of Debian.

#include "supervise/entry_words.hpp"
#include "supervise/stop_budget.hpp"

namespace lockstep {

Result<std::vector<EntryFile>> cron_entry(const JobSpec& job, const EntryRequest& request, bool system) {
    const auto words = command_words(request);
    if (!words) return std::unexpected(words.error());
    const auto schedule = cron_schedule(job, request.schedule, CronDialect::cron);
    if (!schedule) return std::unexpected(schedule.error());
    constexpr std::size_t kLongestCommand = 998;  // MAX_COMMAND of Debian's cron
    std::vector<std::string> quiet = *words;
    quiet.insert(quiet.begin() + 2, "--quiet");
    const std::string command = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin " + for_cron(quiet);
    if (command.size() > kLongestCommand)
        return fail(Failure::usage, "the command is longer than the 998 bytes that cron reads");
    std::string secrets;
    for (const std::string& name : secret_variables(job)) {
        secrets +=
            "# It reads " + name + " from the environment, which cron does not have: name a file in the job's \"secrets\".\n";
    }
    const StopBudget budget = stop_budget(job);
    const std::string place = system ? "/etc/cron.d/" + job.name : "For crontab -e";
    const std::string text =
        "# " + place + ", as lockstep setup cron wrote it: the job " + job.name +
        ".\n"
        "# --quiet: nothing is said when all goes well or the lock is busy, so that cron mails (MAILTO) only what failed.\n"
        "# PATH: cron's own is /usr/bin:/bin, and the job's commands are looked up in it.\n"
        "# A run that finds the one before still at work leaves at once with 75 and nothing said. To wait for it instead:\n"
        "# --wait 10m, or --coalesce, by which one waits and no more. A time at which the machine is off is not made up for;\n"
        "# lockstep check --overdue tells monitoring of a job that has not succeeded for too long.\n"
        "# cron itself stops nothing. A shutdown sends SIGTERM and waits 90 s (DefaultTimeoutStopSec in "
        "systemd-system.conf(5));\n"
        "# this job needs " +
        std::to_string(budget.seconds) + " s:\n" + budget_lines(budget, "# ") + secrets + *schedule + "  " +
        (system ? request.user + "  " : "") + command + "\n";
    // A name with a dot is passed over in /etc/cron.d, so a user's line put there by mistake does nothing.
    return std::vector<EntryFile>{{system ? job.name : job.name + ".crontab", text}};
}

}  // namespace lockstep
