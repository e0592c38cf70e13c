#include "cli/setup_command.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "base/exit_status.hpp"
#include "base/text.hpp"
#include "cli/check_command.hpp"
#include "cli/output.hpp"
#include "cli/own_program.hpp"
#include "cli/written_files.hpp"
#include "supervise/entry.hpp"

namespace lockstep {

namespace {

struct Account {
    std::string name;
    std::string home;
};

/// The account of that name; without one, our own. An account that is not known here may be known where the entry goes.
Account account(const std::string& name) {
    std::array<char, 16384> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (name.empty()) {
        ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
    } else {
        ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    }
    return found != nullptr ? Account{found->pw_name, found->pw_dir} : Account{name, ""};
}

/// What POSIX calls portable in a user's name, and the '$' and '@' that Samba and directory services put there. Anything else
/// would be more than one word in the entry.
bool is_account_name(const std::string& name) {
    return !name.starts_with('-') && std::ranges::all_of(name, [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("._-$@").contains(static_cast<char>(c));
    });
}

std::string absolute(const std::string& path) {
    std::error_code error;
    return std::filesystem::absolute(path, error).lexically_normal();
}

/// What setup was told about where things lie and what the parameters are: the entry's command is told the same.
std::vector<std::string> passed_on(const SetupArguments& arguments, const JobSpec& job) {
    std::vector<std::string> options;
    if (!arguments.file.lock.empty()) options.insert(options.end(), {"--lock", job.lock});
    for (const auto& [name, value] : arguments.file.set) options.insert(options.end(), {"--set", name + "=" + value});
    if (!arguments.state_directory.empty()) options.insert(options.end(), {"--state-dir", absolute(arguments.state_directory)});
    return options;
}

Result<EntryRequest> request_for(const SetupArguments& arguments, const JobSpec& job) {
    const bool kubernetes = arguments.supervisor == "kubernetes";
    EntryRequest request;
    request.program = !arguments.program.empty() ? arguments.program : kubernetes ? "lockstep" : own_program();
    request.job_file = (std::filesystem::path(job.directory) / std::filesystem::path(job.file).filename()).string();
    request.options = passed_on(arguments, job);
    request.schedule = arguments.schedule;
    request.image = arguments.image.empty() ? job.name + ":latest" : arguments.image;
    if (!is_account_name(arguments.user))
        return fail(Failure::usage, "--user \"" + printable(arguments.user) + "\" is not the name of an account");
    const Account who = account(arguments.user);
    request.user = who.name;
    request.home = who.home;
    if (arguments.supervisor != "cron" && arguments.schedule.empty()) {
        request.every = arguments.every ? arguments.every : job.every;
        if (arguments.every) request.pause_option = format_duration(*arguments.every);
    }
    if (arguments.supervisor == "supervisord" && !arguments.schedule.empty())
        return fail(Failure::usage, "supervisord has no timetable; with --schedule take cron, systemd or kubernetes");
    if (arguments.supervisor == "supervisord" && !request.every) {
        return fail(Failure::usage, job.name +
                                        ": under supervisord the job runs as a loop, which needs a pause between passes: "
                                        "give --every 1m, or \"every\" in the job file");
    }
    return request;
}

Result<std::vector<EntryFile>> entry(const SetupArguments& arguments, const JobSpec& job) {
    const auto request = request_for(arguments, job);
    if (!request) return std::unexpected(request.error());
    if (arguments.supervisor == "supervisord") return supervisord_entry(job, *request);
    if (arguments.supervisor == "systemd") return systemd_entry(job, *request);
    if (arguments.supervisor == "cron") return cron_entry(job, *request, !arguments.user.empty());
    return kubernetes_entry(job, *request);
}

}  // namespace

int setup_command(const SetupArguments& arguments) {
    const auto job = read_job_file(arguments.job_file, arguments.file);
    if (!job) return report_problems(arguments.job_file, job.error());
    const auto files = entry(arguments, *job);
    if (!files) return report_error(files.error());
    if (arguments.directory.empty()) {
        std::string text;
        for (const EntryFile& file : *files) text += (text.empty() ? "" : "\n") + file.text;
        return print(text, to_int(ExitStatus::ok));
    }
    std::vector<NewFile> written;
    for (const EntryFile& file : *files) written.push_back({file.name, file.text});
    const auto said = write_files(arguments.directory, written, arguments.force);
    return said ? print_done(*said, to_int(ExitStatus::ok)) : report_error(said.error());
}

}  // namespace lockstep
