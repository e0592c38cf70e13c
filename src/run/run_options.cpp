#include "run/run_options.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>

namespace lockstep {

std::string new_run_id() {
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
    char id[48];
    std::snprintf(id, sizeof id, "%04d%02u%02uT%02d%02d%02dZ-%08x", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()), random);
    return id;
}

std::string run_date_now() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char text[16];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &local)};
}

}  // namespace lockstep
