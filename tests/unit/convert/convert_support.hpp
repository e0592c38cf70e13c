#pragma once
// What the tests of conversions ask of one.

#include <string>

#include "convert/convert.hpp"

namespace lockstep {

inline std::string notes_of(const Conversion& conversion) {
    std::string text;
    for (const std::string& note : conversion.notes) text += note + "\n";
    return text;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace lockstep
