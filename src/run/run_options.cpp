#include "run/run_options.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <ctime>

namespace lockstep {

namespace {

std::string local_time_as(const char* format) {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::localtime_r(&now, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, format, &parts)};
}

}  // namespace

std::string new_run_id() {
    std::uint32_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != static_cast<ssize_t>(sizeof random)) {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        random = static_cast<std::uint32_t>(now.tv_nsec) ^ static_cast<std::uint32_t>(::getpid());
    }
    return fmt::format("{}-{:08x}", local_time_as("%Y%m%dT%H%M%S"), random);
}

std::string run_date_now() { return local_time_as("%Y-%m-%d"); }

}  // namespace lockstep
