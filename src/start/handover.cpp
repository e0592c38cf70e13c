#include "start/handover.hpp"

namespace lockstep::start {

constinit Handover handover;

}  // namespace lockstep::start
