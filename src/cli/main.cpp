#include <cstring>

#include "cli/exec_command.hpp"
#include "sys/stop_signals.hpp"

int main(int argc, char** argv) {
    // First of all, so that a signal in our first millisecond is a stop request like any other.
    const lockstep::InheritedSignals inherited = lockstep::block_signals();
    if (argc > 1 && std::strcmp(argv[1], "exec") == 0) return lockstep::exec_command(inherited, argc - 2, argv + 2);
    return 64;
}
