#pragma once
// Which command lines are for the plain road.

namespace lockstep::start {

/// `lockstep exec [-q] [--wait D] [--grace D] [-E N] NAME|PATH [--] COMMAND…`, each option in its plainest form.
/// Whatever else there is, a mistake among it, is the program's business: see cli/exec_arguments.cpp.
struct PlainWords {
    const char* lock = nullptr;  ///< nullptr: not for the plain road
    char** command = nullptr;
};

PlainWords plain_words(int argc, char** argv);

}  // namespace lockstep::start
