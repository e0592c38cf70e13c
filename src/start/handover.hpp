#pragma once
// What the plain road has done when it hands over to the program: the guardian's half of `exec`, from some point on.

#include "run/command_table.hpp"
#include "run/exec_progress.hpp"
#include "sys/stop_signals.hpp"

namespace lockstep::start {

struct Handover {
    bool is_guardian = false;  ///< false: nothing was done, this is a program like any other
    int socket = -1;           ///< as in GuardianLink, and so on
    CommandTable* commands = nullptr;
    InheritedSignals inherited;
    ExecProgress progress;
};

/// Written before the C library starts, and read by main().
extern constinit Handover handover;  // NOLINT(bugprone-dynamic-static-initializers): constinit

}  // namespace lockstep::start
