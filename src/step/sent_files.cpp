#include "step/sent_files.hpp"

#include <sys/stat.h>

#include <fmt/format.h>

#include <vector>

namespace lockstep {

namespace {

std::vector<std::string> paths_in(const Json& http) {
    std::vector<std::string> paths;
    if (const Json* file = http.find("bodyFile")) paths.push_back(file->text);
    if (const Json* parts = http.find("multipart")) {
        for (const Json& part : parts->elements) {
            if (const Json* file = part.find("file")) paths.push_back(file->text);
        }
    }
    return paths;
}

/// As make(1) and rsync(1) tell a changed file: by its size and the time of its last change.
std::string state_of(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return "";
    return fmt::format("{} bytes of {}.{:09}", found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
}

}  // namespace

bool note_files(Json& request) {
    const Json* http = request.find("http");
    if (http == nullptr) return false;
    Json states = Json::object();
    for (const std::string& path : paths_in(*http)) states.set(path, Json::of_string(state_of(path)));
    if (states.members.empty()) return false;
    Json noted = *http;
    noted.set("files", std::move(states));
    request.set("http", std::move(noted));
    return true;
}

std::optional<std::string> changed_file(const Json& request) {
    const Json* http = request.find("http");
    const Json* states = http != nullptr ? http->find("files") : nullptr;
    if (states == nullptr) return std::nullopt;
    for (const JsonMember& noted : states->members) {
        if (noted.value.text != state_of(noted.key)) return noted.key;
    }
    return std::nullopt;
}

}  // namespace lockstep
