#pragma once
// Two descriptors as one.

#include "base/error.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// An epoll(7) descriptor that is readable (POLLIN) as long as one of these two is. Error: Failure::os, with `what` in front.
Result<UniqueFd> watch_either(int one, int other, const char* what);

}  // namespace lockstep
