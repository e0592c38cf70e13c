#include "sys/user_name.hpp"

#include <pwd.h>

#include <array>

namespace lockstep {

std::optional<std::string> user_name_of(uid_t uid) {
    std::array<char, 16384> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    return found != nullptr ? std::optional<std::string>(found->pw_name) : std::nullopt;
}

std::string user_name(uid_t uid) { return user_name_of(uid).value_or("uid " + std::to_string(uid)); }

}  // namespace lockstep
