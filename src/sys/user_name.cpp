#include "sys/user_name.hpp"

#include <pwd.h>

#include <array>

namespace lockstep {

std::string user_name(uid_t uid) {
    std::array<char, 16384> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    return found != nullptr ? found->pw_name : "uid " + std::to_string(uid);
}

}  // namespace lockstep
