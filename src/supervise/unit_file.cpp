#include "supervise/unit_file.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/text.hpp"
#include "supervise/ini_file.hpp"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

// In the order in which they count.
constexpr std::string_view kUnitDirectories[] = {"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
                                                 "/usr/lib/systemd/system", "/lib/systemd/system"};
constexpr std::string_view kConfigDirectories[] = {"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd",
                                                   "/usr/lib/systemd"};

bool is_file(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

/// Of "a-b@x.service": itself, "a-b@.service", "a-.service", "service": each has drop-ins in NAME.d.
std::vector<std::string> names_with_drop_ins(const std::string& unit) {
    const std::size_t dot = unit.rfind('.');
    const std::string type = unit.substr(dot + 1);
    std::string stem = unit.substr(0, dot);
    std::vector<std::string> names = {unit};
    if (const std::size_t at = stem.find('@'); at != std::string::npos) {
        names.push_back(stem.substr(0, at + 1) + "." + type);
        stem.resize(at);
    }
    for (std::size_t dash = stem.rfind('-'); dash != std::string::npos && dash > 0; dash = stem.rfind('-', dash - 1)) {
        if (dash + 1 < stem.size()) names.push_back(stem.substr(0, dash + 1) + "." + type);
    }
    names.push_back(type);
    return names;
}

/// *.conf of all directories in the order of their names; of two with one name the first directory's counts.
std::vector<std::string> conf_files(const std::vector<std::string>& directories) {
    std::map<std::string, std::string> files;
    for (const std::string& directory : directories) {
        std::error_code error;
        // Not a loop over the range, which throws where the directory cannot be read on.
        for (fs::directory_iterator entry(directory, error); !error && entry != fs::end(entry); entry.increment(error)) {
            if (entry->path().extension() == ".conf") files.emplace(entry->path().filename(), entry->path());
        }
    }
    std::vector<std::string> paths;
    for (const auto& [name, path] : files) {
        if (is_file(path)) paths.push_back(path);  // a link to /dev/null hides those behind it
    }
    return paths;
}

}  // namespace

std::vector<UnitAssignment> parse_unit_text(std::string_view text, const std::string& path) {
    std::vector<UnitAssignment> assignments;
    std::string section;
    std::string line;  // with what continues it
    int begun = 0;
    int number = 0;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view piece = text.substr(at, end - at);
        at = end + 1;
        ++number;
        const std::string_view content = trimmed(piece);
        if (content.starts_with('#') || content.starts_with(';')) continue;  // inside a continued line, too
        if (line.empty()) begun = number;
        const bool continues = piece.ends_with('\\');
        line += continues ? std::string(piece.substr(0, piece.size() - 1)) + " " : std::string(piece);
        if (continues && at <= text.size()) continue;
        const std::string whole(trimmed(line));
        line.clear();
        if (whole.starts_with('[') && whole.ends_with(']')) {
            section = whole.substr(1, whole.size() - 2);
            assignments.push_back({section, "", "", {path, begun}});
            continue;
        }
        const std::size_t equals = whole.find('=');
        if (equals == std::string::npos || equals == 0 || section.empty()) continue;
        const std::string_view view(whole);
        assignments.push_back({section,
                               std::string(trimmed(view.substr(0, equals))),
                               std::string(trimmed(view.substr(equals + 1))),
                               {path, begun}});
    }
    return assignments;
}

ConfigPlace UnitFiles::section_place(std::string_view section) const {
    for (const UnitAssignment& one : assignments) {
        if (one.section == section && one.key.empty() && one.place.file == fragment) return one.place;
    }
    return {fragment, 1};
}

const UnitAssignment* UnitFiles::last(std::string_view section, std::string_view key) const {
    for (auto one = assignments.rbegin(); one != assignments.rend(); ++one) {
        if (one->section == section && one->key == key && !one->value.empty()) return &*one;
    }
    return nullptr;
}

Result<UnitFiles> read_unit(const std::string& name, const std::string& fragment, const std::vector<std::string>& drop_ins) {
    UnitFiles unit{name, fragment, drop_ins, {}};
    std::vector<std::string> paths = {fragment};
    paths.insert(paths.end(), drop_ins.begin(), drop_ins.end());
    for (const std::string& path : paths) {
        const auto text = read_config_text(path);
        if (!text) return std::unexpected(text.error());
        for (UnitAssignment& one : parse_unit_text(*text, path)) unit.assignments.push_back(std::move(one));
    }
    return unit;
}

Result<UnitFiles> find_unit(const std::string& name_or_path, const std::string& root) {
    std::vector<std::string> directories;
    const fs::path given(name_or_path);
    std::string name = given.filename();
    if (name.find('.') == std::string::npos) name += ".service";
    const bool is_path = name_or_path.find('/') != std::string::npos;
    if (is_path) directories.push_back(given.parent_path());
    for (const std::string_view directory : kUnitDirectories) directories.push_back(root + std::string(directory));

    std::vector<std::string> candidates = {name};
    if (const std::size_t at = name.find('@'); at != std::string::npos)
        candidates.push_back(name.substr(0, at + 1) + name.substr(name.rfind('.')));
    std::string fragment = is_path && is_file(name_or_path) ? name_or_path : "";
    for (const std::string& candidate : candidates) {
        for (const std::string& directory : directories) {
            const std::string path = directory + "/" + candidate;
            if (fragment.empty() && !is_path && is_file(path)) fragment = path;
        }
    }
    if (fragment.empty()) {
        return fail(Failure::no_job_file, is_path ? printable(name_or_path, 4096) + ": there is no such unit file"
                                                  : "there is no unit " + printable(name) + " in " + joined(directories));
    }
    std::vector<std::string> drop_in_directories;
    for (const std::string& one : names_with_drop_ins(name)) {
        for (const std::string& directory : directories) drop_in_directories.push_back(directory + "/" + one + ".d");
    }
    return read_unit(name, fragment, conf_files(drop_in_directories));
}

UnitAssignment default_stop_timeout(const std::string& root) {
    UnitAssignment found{"Manager", "DefaultTimeoutStopSec", "90s", {}};
    std::vector<std::string> drop_ins;
    std::string main;
    for (const std::string_view directory : kConfigDirectories) {
        const std::string path = root + std::string(directory) + "/system.conf";
        if (main.empty() && is_file(path)) main = path;
        drop_ins.push_back(path + ".d");
    }
    std::vector<std::string> files = conf_files(drop_ins);
    if (!main.empty()) files.insert(files.begin(), main);
    for (const std::string& file : files) {
        for (const UnitAssignment& one : parse_unit_text(read_config_text(file).value_or(""), file)) {
            if (one.section == "Manager" && one.key == "DefaultTimeoutStopSec" && !one.value.empty()) found = one;
        }
    }
    return found;
}

}  // namespace lockstep
