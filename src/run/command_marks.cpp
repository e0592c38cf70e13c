#include "run/command_marks.hpp"

#include "lock/lock_steps.hpp"
#include "sys/log.hpp"

namespace lockstep {

Result<UniqueFd> CommandMarks::command_mark() {
    if (lock_ == nullptr) return UniqueFd();
    const unsigned number = next_.fetch_add(1);
    auto mark = lock_->mark_command(number, "");
    if (!mark) return mark;
    const std::lock_guard guard(mutex_);
    number_by_fd_[mark->get()] = number;
    return mark;
}

void CommandMarks::command_begins(pid_t pid, int mark) {
    table_.add(pid);
    if (mark < 0) return;
    write_mark_pid(mark, pid);
}

void CommandMarks::command_ended(pid_t pid, UniqueFd mark) {
    if (pid > 0) table_.remove(pid);
    if (lock_ == nullptr || !mark) return;
    unsigned number = 0;
    {
        const std::lock_guard guard(mutex_);
        const auto found = number_by_fd_.find(mark.get());
        if (found == number_by_fd_.end()) return;
        number = found->second;
        number_by_fd_.erase(found);
    }
    // Unlinked before our descriptor is closed: a number is never found again by an adopter once its command was reaped.
    lock_->unmark_command(number);
}

void CommandMarks::command_output(int fd, std::string_view bytes) { log::pass_through(fd, bytes); }

void CommandMarks::command_notice(std::string_view line) { log::write(log::Level::warning, line); }

}  // namespace lockstep
