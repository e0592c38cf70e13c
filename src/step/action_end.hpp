#pragma once
// How one performance of a request ended, before anybody asks what that means for its phase.

#include "step/classify.hpp"
#include "step/prepared.hpp"
#include "step/request.hpp"
#include "step/secret_keeper.hpp"
#include "step/workbench.hpp"

namespace lockstep {

struct ActionEnd {
    /// There is an answer to ask conditions of; else `meaning` is all there is to know.
    bool answered = false;
    Answer answer;
    Meaning meaning{};
    std::string text;    ///< "503 Service Unavailable", "exit status 3", "no answer within 5s"
    std::string detail;  ///< what the answer says about it: the start of its body, the last line of stderr; or ""
    std::optional<Millis> retry_after;
    bool not_connected = false;
    bool was_cut = false;
    bool sent_twice = false;  ///< by libcurl itself: the answer may be true of the second time alone

    /// "exit status 3: out of stock"
    std::string reason() const { return detail.empty() ? text : text + ": " + detail; }
};

struct ActionLimits {
    Millis timeout{0};
    const Interrupt* cut = nullptr;
    bool for_listing = false;  ///< the answer is long and for us alone
};

/// Sends or runs a rendered request once. `detail` shows no secret that `keeper` was asked for.
ActionEnd run_action(const RenderedRequest& request, const SecretKeeper& keeper, const ActionLimits& limits, Workbench& bench);

}  // namespace lockstep
