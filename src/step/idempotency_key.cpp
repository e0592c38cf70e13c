#include "step/idempotency_key.hpp"

#include "base/digest.hpp"

namespace lockstep {

std::string idempotency_key(std::string_view job, std::string_view item_key, std::string_view step, PhaseName phase,
                            int generation) {
    return sha256_of_parts({job, item_key, step, to_string(phase), std::to_string(generation)});
}

}  // namespace lockstep
