#include "run/run_options.hpp"

#include <sys/random.h>
#include <unistd.h>

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
    std::tm utc{};
    ::gmtime_r(&now.tv_sec, &utc);  // not localtime, which opens the time zone's file: exec's start is counted in microseconds
    char id[40];
    const std::size_t length = std::strftime(id, sizeof id, "%Y%m%dT%H%M%SZ", &utc);
    std::snprintf(id + length, sizeof id - length, "-%08x", random);
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
