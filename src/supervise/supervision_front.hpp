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

/// Verdict and warnings about what stands in front.
///
/// @param all_are_told  the supervisor sends its request to every process
/// @param line_of       the setting that has the command of a route
void weigh(Supervision& supervision, const StopRoute& route, bool all_are_told, const ConfigPlace& place,
           const std::function<std::string(const std::function<StopRoute::Command(const StopRoute&)>& mended)>& line_of);

/// `command=…` and `ExecStart=…` with what `mended` makes of the command; "" where that is nothing. What is expanded there
/// stays as it is written, where that tells the same.
std::string command_line(const SupervisordProgram& program, const std::function<StopRoute::Command(const StopRoute&)>& mended);
std::string exec_line(const UnitAssignment& line, const std::vector<std::string>& words,
                      const std::function<StopRoute::Command(const StopRoute&)>& mended);

}  // namespace lockstep
