#pragma once
// What stands in front of lockstep, as a part of the verdict: inside this room only.

#include <functional>

#include "supervise/stop_route.hpp"
#include "supervise/supervision.hpp"

namespace lockstep {

/// @param given  nullopt: for ever
StopVerdict verdict_of(std::optional<Millis> given, const StopBudget& budget, Millis delay);

/// The verdict becomes that one where it is the worse.
void worsen(Supervision& supervision, StopVerdict verdict);

/// The supervisor must wait longer by what stands in front. To be called before its time is judged.
void delay(Supervision& supervision, const StopRoute& route);

/// What is wrong with a route, and so which of its commands is to be had instead.
enum class RouteFault {
    front,     ///< what stands in front: StopRoute::write
    patience,  ///< it kills too soon: StopRoute::Kill::write
};

/// Verdict and warnings about what stands in front.
///
/// @param all_are_told  the supervisor sends its request to every process
/// @param line_without  the setting to have instead; "" where that cannot be told
void weigh(Supervision& supervision, const StopRoute& route, bool all_are_told, const ConfigPlace& place,
           const std::function<std::string(RouteFault)>& line_without);

/// `command=…` and `ExecStart=…` without that fault; "" where that cannot be told. What is expanded there stays as it is
/// written, where that tells the same.
std::string command_line(const SupervisordProgram& program, RouteFault fault);
std::string exec_line(const UnitAssignment& line, const std::vector<std::string>& words, RouteFault fault);

}  // namespace lockstep
