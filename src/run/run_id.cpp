#include "run/run_id.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <ctime>

#include "base/append_text.hpp"

namespace lockstep {

RunIdText make_run_id() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::uint32_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != static_cast<ssize_t>(sizeof random)) {
        random = static_cast<std::uint32_t>(now.tv_nsec) ^ static_cast<std::uint32_t>(::getpid());
    }
    // By arithmetic: gmtime(3), too, opens the time zone's file, and exec's start is counted in microseconds.
    const std::chrono::sys_seconds seconds{std::chrono::seconds{now.tv_sec}};
    const auto day = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{seconds - day};
    RunIdText id;
    id.append_padded(static_cast<unsigned>(static_cast<int>(date.year())), 4);
    id.append_padded(static_cast<unsigned>(date.month()), 2).append_padded(static_cast<unsigned>(date.day()), 2);
    id.append("T").append_padded(static_cast<std::uint64_t>(time.hours().count()), 2);
    id.append_padded(static_cast<std::uint64_t>(time.minutes().count()), 2);
    id.append_padded(static_cast<std::uint64_t>(time.seconds().count()), 2).append("Z-");
    for (unsigned shift = 32; shift > 0; shift -= 4) id += kHexDigits[(random >> (shift - 4)) & 15U];
    return id;
}

}  // namespace lockstep
