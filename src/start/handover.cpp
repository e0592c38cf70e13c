#include "start/handover.hpp"

namespace lockstep::start {

Handover handover;

}  // namespace lockstep::start
