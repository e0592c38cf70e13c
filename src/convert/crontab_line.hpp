#pragma once
// A line of a crontab, as crontab(5) of Debian's cron describes it.

#include <string_view>

namespace lockstep {

enum class CrontabKind {
    user,    ///< crontab -e: five fields or @daily, then the command
    system,  ///< /etc/crontab, /etc/cron.d: a user's name before the command
    none,    ///< no crontab at all: the line is a command
};

/// The parts of a line, which together are the line; they point into it.
struct CrontabLine {
    enum class Kind {
        other,     ///< empty, or a comment
        variable,  ///< NAME = value
        entry,     ///< a time and a command
        wrong,     ///< cron would refuse it
    };
    Kind kind = Kind::other;
    std::string_view when;     ///< all before the command, blanks included
    std::string_view command;  ///< for the shell, with `\%` for '%' as cron has it
    std::string_view input;    ///< from the first '%' without a backslash on: the command's stdin
    std::string_view name;     ///< of a variable
    std::string_view value;
};

CrontabLine read_crontab_line(std::string_view line, CrontabKind kind);

}  // namespace lockstep
