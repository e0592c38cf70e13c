#pragma once
// How far an `exec` has come that was begun on the plain road (the room `start`) and is to be gone on with.

#include <sys/types.h>

#include <cstdint>

namespace lockstep {

struct ExecProgress {
    enum class Stage : std::uint8_t {
        begun,    ///< nothing is held
        locked,   ///< the lock is held, its record written; the command has not been started
        running,  ///< the command runs
        ended,    ///< it has ended; the lock is to be given back, or what has become of it to be told
    };
    Stage stage = Stage::begun;
    // The lock, if it is held:
    int parent = -1;     ///< descriptor of the directory that it lies in
    int directory = -1;  ///< its own, with the flock
    int record = -1;
    // The command, if it was started:
    pid_t command = -1;
    int status = 0;  ///< ended: its wait status
};

}  // namespace lockstep
