#pragma once
// What a command inherits so that whoever outlives its run finds it.

#include "sys/unique_fd.hpp"

namespace lockstep {

struct CommandMark {
    UniqueFd fd;          ///< of a file that is locked as long as anybody has it open; none: the command is not marked
    unsigned number = 0;  ///< in that file's name
};

}  // namespace lockstep
