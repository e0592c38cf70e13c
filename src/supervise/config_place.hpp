#pragma once
// Where in a configuration file something stands.

#include <string>

namespace lockstep {

struct ConfigPlace {
    std::string file;  ///< empty: nowhere, it is a default
    int line = 0;      ///< from 1

    /// "/etc/supervisor/conf.d/a.conf:12"
    std::string text() const { return file.empty() ? "" : file + ":" + std::to_string(line); }
};

}  // namespace lockstep
