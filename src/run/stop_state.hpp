#pragma once
// The two flags that the whole run obeys, set by the main thread and watched by everybody else.

#include "base/error.hpp"
#include "sys/interrupt.hpp"

namespace lockstep {

struct StopState {
    Interrupt requested;  ///< begin no pair, wait for nothing
    Interrupt cut;        ///< end the phase in hand now

    static Result<StopState> create() {
        auto requested = Interrupt::create();
        if (!requested) return std::unexpected(requested.error());
        auto cut = Interrupt::create();
        if (!cut) return std::unexpected(cut.error());
        return StopState{std::move(*requested), std::move(*cut)};
    }
};

}  // namespace lockstep
