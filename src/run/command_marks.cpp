#include "run/command_marks.hpp"

#include "lock/lock_steps.hpp"
#include "sys/log.hpp"

namespace lockstep {

Result<CommandMark> CommandMarks::command_mark() {
    if (lock_ == nullptr) return CommandMark{};
    return lock_->mark_command();
}

void CommandMarks::command_begins(pid_t pid, int mark) {
    table_.add(pid);
    if (mark < 0) return;
    write_mark_pid(mark, pid);
}

void CommandMarks::command_ended(pid_t pid, CommandMark mark) {
    if (pid > 0) table_.remove(pid);
    if (lock_ != nullptr) lock_->unmark_command(std::move(mark));
}

void CommandMarks::command_output(int fd, std::string_view bytes) { log::pass_through(fd, bytes); }

void CommandMarks::command_notice(std::string_view line) { log::write(log::Level::warning, line); }

}  // namespace lockstep
