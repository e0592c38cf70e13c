#include "cli/locks_command.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/exit_status.hpp"
#include "cli/output.hpp"
#include "journal/sqlite_journal.hpp"
#include "lock/directory_lock.hpp"
#include "report/lock_report.hpp"

namespace lockstep {

namespace {

std::size_t terminal_width() {
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::string nothing_found(const LockSearch& search) {
    std::string text = "no locks in ";
    for (const std::string& root : search.roots) text += (&root == &search.roots.front() ? "" : ", ") + root;
    return text + "\n";
}

}  // namespace

int locks_command(const LocksArguments& arguments) {
    LockSearch search{arguments.roots, arguments.state_directories};
    if (search.roots.empty()) search.roots = {default_lock_root()};
    if (search.state_directories.empty()) {
        // Who has no home has no journals either.
        if (const auto directory = default_state_directory()) search.state_directories = {*directory};
    }
    const FoundLocks found = find_locks(search);
    ExitStatus worst = ExitStatus::ok;
    for (const Error& problem : found.problems) worst = graver(worst, static_cast<ExitStatus>(report_error(problem)));
    const int status = to_int(worst);
    if (!arguments.json) {
        return print(found.locks.empty() ? nothing_found(search) : locks_text(found.locks, terminal_width()), status);
    }
    Json all = Json::array();
    for (const LockView& lock : found.locks) all.push(lock_json(lock));
    return print(to_text(all) + "\n", status);
}

}  // namespace lockstep
