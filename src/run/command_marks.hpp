#pragma once
// What commands get from the run around them: a mark in the lock directory, a place in the front's table, a way into the log.

#include "lock/directory_lock.hpp"
#include "run/command_table.hpp"
#include "step/workbench.hpp"

namespace lockstep {

class CommandMarks final : public CommandHost {
  public:
    CommandMarks(DirectoryLock* lock, CommandTable& table) : lock_(lock), table_(table) {}

    Result<CommandMark> command_mark() override;
    void command_begins(pid_t pid, int mark) override;
    void command_ended(pid_t pid, CommandMark mark) override;
    void command_output(int fd, std::string_view bytes) override;
    void command_notice(std::string_view line) override;

  private:
    DirectoryLock* lock_;  ///< null: commands run outside any lock (listing items for a dry run)
    CommandTable& table_;
};

}  // namespace lockstep
