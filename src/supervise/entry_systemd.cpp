// Source: systemd.service(5), systemd.kill(5), systemd.exec(5), systemd.timer(5).

#include "base/text.hpp"
#include "supervise/entry_words.hpp"
#include "supervise/stop_budget.hpp"
#include "supervise/systemctl.hpp"

namespace lockstep {

namespace {

std::string head(const JobSpec& job, const std::string& suffix, const std::string& then) {
    return "# /etc/systemd/system/" + job.name + suffix + ", as lockstep setup systemd wrote it.\n" + then +
           "\n[Unit]\nDescription=lockstep: " + job.name + "\n";
}

/// How it is started, and when again.
std::string start_lines(const EntryRequest& request, const std::string& command) {
    const std::string exec = "ExecStart=" + command + "\n";
    if (!request.every) {
        return "# One pass, started by the timer. While it is active systemd starts no second one.\n"
               "Type=oneshot\n" +
               exec;
    }
    return "# Passes until it is stopped. Started again whatever ends it, but for a stop, or a command line or a job file that "
           "is\n"
           "# wrong (64, 66, 78), which no further start would mend.\n"
           "Type=exec\n" +
           exec +
           "Restart=on-failure\n"
           "RestartSec=5s\n"
           "RestartPreventExitStatus=64 66 78\n";
}

std::string user_line(const EntryRequest& request) {
    if (request.user.empty()) return "";
    return "\n# The account that also reruns it by hand: its journal lies in that account's home (of root: "
           "/var/lib/lockstep).\n"
           "User=" +
           request.user + "\n";
}

std::string secret_lines(const JobSpec& job) {
    std::string text;
    for (const std::string& name : secret_variables(job)) {
        text += "\n# It reads " + name + " from the environment: from a file of mode 0600 that says " + name + "=…\n" +
                "#EnvironmentFile=/etc/" + job.name + ".env\n";
    }
    return text;
}

std::string stop_lines(const JobSpec& job) {
    const StopBudget budget = stop_budget(job);
    return "\n" + patience_comment(budget, "# ", "systemd", "90s") + "TimeoutStopSec=" + std::to_string(budget.seconds) +
           "s\n"
           "\n"
           "# SIGTERM for the main process only, which sees to the rest and ends last: by control-group, the default, the "
           "commands\n"
           "# in hand would get it, too. What is left when the main process has ended is killed.\n"
           "KillMode=mixed\n"
           "NotifyAccess=main\n"
           "\n"
           "# 75: the lock is busy, or it was stopped with work left. Nothing has failed.\n"
           "SuccessExitStatus=75\n"
           "\n"
           "# A command that the kernel kills for want of memory is a phase that failed: the job deals with that.\n"
           "OOMPolicy=continue\n"
           "\n"
           "# With yes the unit would have a /tmp of its own, and a lock in it that no cron line and no rerun by hand would "
           "meet.\n"
           "PrivateTmp=no\n";
}

EntryFile service(const JobSpec& job, const EntryRequest& request, const std::string& command) {
    const std::string then =
        request.every ? "# Then: systemctl daemon-reload && systemctl enable --now " + job.name + ".service\n"
                      : "# " + job.name + ".timer starts it; at any other time: systemctl start " + job.name + ".service\n";
    std::string text =
        head(job, ".service", then) +
        "# Its calls may leave this machine: it starts after the network is there, and is stopped before that goes.\n"
        "Wants=network-online.target\n"
        "After=network-online.target\n"
        "\n[Service]\n" +
        start_lines(request, command) + user_line(request) + secret_lines(job) + stop_lines(job);
    if (request.every) text += "\n[Install]\nWantedBy=multi-user.target\n";
    return {job.name + ".service", std::move(text)};
}

EntryFile timer(const JobSpec& job, const EntryRequest& request) {
    const std::string when = request.schedule.empty() ? timetable_for(job).calendar : request.schedule;
    return {job.name + ".timer",
            head(job, ".timer", "# Then: systemctl daemon-reload && systemctl enable --now " + job.name + ".timer\n") +
                "\n[Timer]\n"
                "# systemd-analyze calendar '" +
                when +
                "' tells the next times.\n"
                "OnCalendar=" +
                when +
                "\n"
                "# A time that passed while the machine was off is made up for, once, when it is on again.\n"
                "Persistent=true\n"
                "\n[Install]\nWantedBy=timers.target\n"};
}

/// Asked of systemd-analyze(1), where there is one: only systemd knows all of its words.
Result<void> check_calendar(const std::string& schedule) {
    if (schedule.empty()) return {};
    const auto understood = calendar_is_understood(schedule);
    if (!understood || *understood) return {};
    return fail(Failure::usage, "--schedule \"" + printable(schedule) +
                                    "\" is no calendar expression, says systemd-analyze calendar; such are hourly, *:0/5, "
                                    "Mon..Fri 03:00");
}

}  // namespace

Result<std::vector<EntryFile>> systemd_entry(const JobSpec& job, const EntryRequest& request) {
    const auto words = command_words(request);
    if (!words) return std::unexpected(words.error());
    if (request.schedule.find_first_of("\r\n") != std::string::npos)
        return fail(Failure::usage, "--schedule is one line: a calendar expression such as hourly or Mon..Fri 03:00");
    if (looks_like_cron_times(request.schedule)) {
        return fail(Failure::usage, "--schedule \"" + printable(request.schedule) +
                                        "\" is written for cron; systemd has words of its own: hourly, *:0/5, Mon..Fri 03:00. "
                                        "systemd-analyze calendar tells what they mean");
    }
    if (auto checked = check_calendar(request.schedule); !checked) return std::unexpected(checked.error());
    std::vector<EntryFile> files = {service(job, request, for_systemd(*words))};
    if (!request.every) files.push_back(timer(job, request));
    return files;
}

}  // namespace lockstep
