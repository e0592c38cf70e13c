#pragma once
// The times at which a crontab line or a CronJob runs, held to what reads them: a wrong one is refused when it is written, not
// passed over in the night.

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace lockstep {

enum class CronDialect {
    cron,        ///< crontab(5) of Debian: names, 0 and 7 for Sunday, a~b for a time that cron draws
    kubernetes,  ///< robfig/cron: names, Sunday is 0, '?', a/n, @every 5m
};

/// Five fields (minute, hour, day of month, month, day of week), or a word such as @hourly. Stricter than cron, which takes
/// "5-1", a range that never comes.
/// Error: Failure::usage, which field is wrong, and what it may be.
Result<void> check_cron_times(std::string_view text, CronDialect dialect);

/// Meant for cron, right or wrong: five words, or one such as @hourly.
bool looks_like_cron_times(std::string_view text);

}  // namespace lockstep
