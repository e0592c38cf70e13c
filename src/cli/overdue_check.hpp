#pragma once
// `lockstep check --overdue`: for monitoring.

#include "cli/arguments.hpp"

namespace lockstep {

/// A line for each job. @return 0, 1 if one is overdue or says nothing of how often it is expected, or that of an error
int overdue_check(const CheckArguments& arguments);

}  // namespace lockstep
