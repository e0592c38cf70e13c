#include "base/digest.hpp"

#include <sys/types.h>

#include <sha2.h>

#include <array>
#include <cstdint>

namespace lockstep {

std::string sha256_of_parts(std::initializer_list<std::string_view> parts) {
    SHA2_CTX context;
    ::SHA256Init(&context);
    for (const std::string_view part : parts) {
        std::array<std::uint8_t, 8> length{};
        for (std::size_t i = 0; i < length.size(); ++i) {
            length[i] = static_cast<std::uint8_t>(std::uint64_t{part.size()} >> (56 - 8 * i));
        }
        ::SHA256Update(&context, length.data(), length.size());
        ::SHA256Update(&context, reinterpret_cast<const std::uint8_t*>(part.data()), part.size());
    }
    std::array<char, SHA256_DIGEST_STRING_LENGTH> hex{};
    ::SHA256End(&context, hex.data());
    return hex.data();
}

}  // namespace lockstep
