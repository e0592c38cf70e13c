#pragma once
// `lockstep convert`: crontab lines that lock by other means, rewritten for `lockstep exec`.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "convert/crontab_line.hpp"
#include "convert/lock_call.hpp"

namespace lockstep {

struct Conversion {
    enum class Outcome {
        nothing,    ///< no lock is taken in it
        converted,  ///<
        left,       ///< it takes a lock in a way that is not read: the line is as it was
    };
    Outcome outcome = Outcome::nothing;
    std::string line;
    std::vector<std::string> notes;  ///< converted: what changes; left: why
    std::string lock;                ///< converted: as it is written in the line
};

/// How lockstep is called where the shell looks programs up in these directories, as the value of PATH has them.
using ProgramIn = std::function<std::string(std::string_view path)>;

/// Reads the lines of one crontab, in their order: a variable's line holds for those below it, and locks that are named after
/// commands get names that differ.
class LineConverter {
  public:
    /// @param program_in  of a crontab: of its PATH= line, or else cron's own PATH; by default `lockstep`
    explicit LineConverter(CrontabKind kind, ProgramIn program_in = {}) : kind_(kind), program_in_(std::move(program_in)) {
        look_up("/usr/bin:/bin");
    }

    /// Looks at a line that is to be converted later: a place that is its lock's in any case is given to no other lock as a
    /// name.
    void foresee(std::string_view line);

    /// One line, without its end. What is not understood in full stays as it is: never a meaning that changes unsaid.
    Conversion convert(std::string_view line);

  private:
    Conversion convert_command(std::string_view command);
    Conversion convert_outside_quotes(std::string_view command);
    Conversion convert_call(std::string_view command, const std::vector<ShellToken>& tokens, std::size_t word,
                            std::size_t last);
    /// Is a lock taken by this command, or in a script among its words?
    bool takes_lock(std::string_view command) const;
    Conversion convert_script(std::string_view command, const std::vector<ShellToken>& tokens, std::size_t first);
    void look_up(std::string_view path);
    void finish(LockCall& call, bool status_is_used);
    void name_lock(LockCall& call);
    void compare_users(std::string_view when, Conversion& result);
    std::string shell_of_line() const;
    std::string shell_of_environment() const;

    CrontabKind kind_;
    bool has_shell_ = false;  // a line SHELL=…
    ProgramIn program_in_;
    std::string program_ = "lockstep";  // as it is written into a line here
    std::string path_;                  // in which it was looked up
    bool said_path_ = false;
    std::map<std::string, std::string> users_;  // of a system's crontab: who was the first to use a lock
    std::set<std::string> places_;              // names whose places lines use
    std::map<std::string, std::string> named_;  // names that were given to locks, and what after
};

}  // namespace lockstep
