// Source: supervisord's configuration manual, "[program:x] Section Settings"; supervisor/options.py for how it is read.

#include "supervise/entry_words.hpp"
#include "supervise/stop_budget.hpp"

namespace lockstep {

namespace {

std::string percent_doubled(const std::string& text) {
    std::string out;
    for (const char c : text) out.append(c == '%' ? 2 : 1, c);
    return out;
}

std::string secret_lines(const JobSpec& job) {
    std::string text;
    for (const std::string& name : secret_variables(job)) {
        text += "; It reads " + name + " from the environment: give it to supervisord itself, or as environment=" + name +
                "=\"…\" here.\n";
    }
    return text;
}

/// supervisord changes the user, but leaves its own HOME and USER in the environment.
std::string account_lines(const EntryRequest& request) {
    if (request.user.empty()) return "";
    std::string text =
        "; The account that also reruns it by hand: its journal lies in that account's home (of root: /var/lib/lockstep).\n"
        "user=" +
        percent_doubled(request.user) + "\n";
    const bool plain = request.home.find_first_of("\"\\;#\n") == std::string::npos;
    if (request.user != "root" && !request.home.empty() && plain) {
        text += "environment=HOME=\"" + percent_doubled(request.home) + "\",USER=\"" + percent_doubled(request.user) + "\"\n";
    }
    return text + "\n";
}

}  // namespace

Result<std::vector<EntryFile>> supervisord_entry(const JobSpec& job, const EntryRequest& request) {
    const auto words = command_words(request);
    if (!words) return std::unexpected(words.error());
    const StopBudget budget = stop_budget(job);
    const std::string seconds = std::to_string(budget.seconds);
    const std::string text =
        "; /etc/supervisor/conf.d/" + job.name + ".conf, as lockstep setup supervisord wrote it.\n" +
        "; Then: supervisorctl reread && supervisorctl update\n"
        "\n"
        "[program:" +
        job.name +
        "]\n"
        "command=" +
        for_supervisord(*words) +
        "\n"
        "\n" +
        account_lines(request) + secret_lines(job) + patience_comment(budget, "; ", "supervisord", "10") +
        "stopwaitsecs=" + seconds +
        "\n"
        "\n"
        "; SIGTERM is the request to stop. It is for the process that supervisord started, and for no other: that one sees to\n"
        "; the rest.\n"
        "stopsignal=TERM\n"
        "stopasgroup=false\n"
        "killasgroup=false\n"
        "\n"
        "; An end in its first second is a failed start (73: the lock cannot be had, 74: the journal cannot): it is tried "
        "again\n"
        "; ever less often, for a minute, and is FATAL then. A stop in that second is a stop.\n"
        "startsecs=1\n"
        "startretries=10\n"
        "\n"
        "; Not started again once it has run: 0 stopped, nothing left to do; 75 stopped with work left; 64, 66, 78 the "
        "command\n"
        "; line or the job file is wrong, which no further start would mend. Whatever else ended it, it is started again.\n"
        "autostart=true\n"
        "autorestart=unexpected\n"
        "exitcodes=0,75,64,66,78\n"
        "\n"
        "; lockstep's own lines (stderr) and the commands' output (stdout) in one log, in their order. AUTO lies in "
        "childlogdir\n"
        "; and is removed when supervisord starts: name a file to keep it.\n"
        "redirect_stderr=true\n"
        "stdout_logfile=AUTO\n";
    return std::vector<EntryFile>{{job.name + ".conf", text}};
}

}  // namespace lockstep
