#include "run/run_options.hpp"

#include <ctime>

#include "run/run_id.hpp"

namespace lockstep {

std::string new_run_id() { return std::string(make_run_id().view()); }

std::string run_date_now() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char text[16];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &local)};
}

}  // namespace lockstep
