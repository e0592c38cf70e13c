#include "sys/enclosing_runs.hpp"

#include <cstdlib>

namespace lockstep {

std::string_view enclosing_runs() {
    const char* ids = ::getenv(kRunIdVariable);
    return ids != nullptr ? ids : "";
}

std::string enclosing_runs_with(std::string_view run_id) {
    std::string ids(enclosing_runs());
    if (!ids.empty()) ids += ' ';
    return ids.append(run_id);
}

}  // namespace lockstep
