#include "start/plain_environment.hpp"

namespace lockstep::start {

namespace {

bool is_of(std::string_view entry, std::string_view name) {
    return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
}

}  // namespace

const char* find_variable(char* const* environment, std::string_view name) {
    for (; *environment != nullptr; ++environment) {
        if (is_of(*environment, name)) return *environment + name.size() + 1;
    }
    return nullptr;
}

bool set_variable(char** environment, unsigned& size, unsigned capacity, char* entry) {
    const std::string_view text = entry;
    const std::string_view name = text.substr(0, text.find('='));
    unsigned at = 0;
    while (at < size && !is_of(environment[at], name)) ++at;
    if (at == size) {
        if (size + 1 >= capacity) return false;
        environment[++size] = nullptr;
    }
    environment[at] = entry;
    return true;
}

}  // namespace lockstep::start
