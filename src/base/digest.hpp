#pragma once
// SHA-256 (FIPS 180-4), by libmd.

#include <initializer_list>
#include <string>
#include <string_view>

namespace lockstep {

/// SHA-256 over the parts, each preceded by its length as eight bytes, big endian, so that ("ab","c") and ("a","bc")
/// differ. 64 lower-case hexadecimal digits.
std::string sha256_of_parts(std::initializer_list<std::string_view> parts);

}  // namespace lockstep
