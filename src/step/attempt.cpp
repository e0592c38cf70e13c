#include "step/attempt.hpp"

namespace lockstep {

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::done: return "done";
        case Verdict::not_applied: return "not applied";
        case Verdict::refused: return "refused";
        case Verdict::in_doubt: return "in doubt";
    }
    return "in doubt";
}

}  // namespace lockstep
