#include "supervise/supervisord_config.hpp"

#include <glob.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <sstream>

#include "base/text.hpp"
#include "supervise/expansion.hpp"
#include "supervise/ini_file.hpp"
#include "supervise/shlex.hpp"

namespace lockstep {

namespace {

using Names = std::map<std::string, std::string, std::less<>>;

std::string absolute_directory(const std::string& path) {
    std::error_code error;
    return std::filesystem::absolute(path, error).lexically_normal().parent_path();
}

std::string node_name() {
    utsname names{};
    return ::uname(&names) == 0 ? names.nodename : "";
}

std::unexpected<Error> wrong(const ConfigPlace& place, const std::string& what) {
    return fail(Failure::job_file, place.text() + ": " + what);
}

std::vector<std::string> matching_files(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> files;
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    std::ranges::sort(files);
    return files;
}

class Reader {
  public:
    Reader(const std::string& path, const EnvironmentLookup& environment)
        : path_(path), here_(absolute_directory(path)), environment_(environment) {}

    Result<std::vector<SupervisordProgram>> read() {
        if (auto had = ini_.read(path_); !had) return std::unexpected(had.error());
        if (auto had = read_includes(); !had) return std::unexpected(had.error());
        if (ini_.find("supervisord") == nullptr)
            return fail(Failure::job_file, path_ + ": has no [supervisord] section: is this supervisord's configuration?");
        if (const IniOption* option = ini_.find("supervisord", "environment")) {
            for (auto& [name, value] : key_values(expand(option->value, {}).value_or("")))
                own_environment_["ENV_" + name] = value;
        }
        read_groups();
        std::vector<SupervisordProgram> programs;
        for (const IniSection& section : ini_.sections()) {
            for (const std::string_view kind : {"program:", "fcgi-program:", "eventlistener:"}) {
                if (!section.name.starts_with(kind)) continue;
                if (auto added = add_program(section, section.name.substr(kind.size()), programs); !added)
                    return std::unexpected(added.error());
            }
        }
        return programs;
    }

  private:
    Result<void> read_includes() {
        if (ini_.find("include") == nullptr) return {};
        ini_.expand_here(here_);
        const IniOption* files = ini_.find("include", "files");
        if (files == nullptr) return wrong(ini_.find("include")->place, "[include] names no files");
        const auto patterns = expand(files->value, {});
        if (!patterns) return wrong(files->place, "files=" + printable(files->value) + " cannot be expanded here");
        std::istringstream words(*patterns);
        std::string pattern;
        while (words >> pattern) {
            const std::string whole = pattern.starts_with('/') ? pattern : here_ + "/" + pattern;
            for (const std::string& file : matching_files(whole)) {
                if (auto had = ini_.read(file); !had) return had;
                ini_.expand_here(absolute_directory(file));
            }
        }
        return {};
    }

    void read_groups() {
        for (const IniSection& section : ini_.sections()) {
            if (!section.name.starts_with("group:")) continue;
            const IniOption* programs = ini_.find(section.name, "programs");
            std::string names = programs != nullptr ? programs->value : "";
            std::ranges::replace(names, ',', ' ');
            std::istringstream words(names);
            std::string program;
            while (words >> program) group_of_[program] = section.name.substr(6);
        }
    }

    std::optional<std::string> expand(const std::string& text, const Names& more) const {
        return expand_percent(text, [&](const std::string& name) -> std::optional<std::string> {
            if (const auto found = more.find(name); found != more.end()) return found->second;
            if (const auto found = own_environment_.find(name); found != own_environment_.end()) return found->second;
            if (name == "here") return here_;
            if (name == "host_node_name") return node_name();
            if (name.starts_with("ENV_")) return environment_(name.substr(4));
            return std::nullopt;
        });
    }

    /// What a program is run in: its own directory, or that which supervisord changes to when it becomes a daemon.
    std::string directory_of(const IniSection& section, const Names& names) const {
        const SupervisordSetting own = setting(section, "directory", "", names);
        if (own.unknown || own.value.starts_with('/')) return own.unknown ? "" : own.value;
        const IniSection& daemon = *ini_.find("supervisord");
        const SupervisordSetting base = setting(daemon, "directory", "", {});
        if (base.unknown || base.value.empty() || is_true(setting(daemon, "nodaemon", "false", {}).value)) return "";
        return own.value.empty() ? base.value : base.value + "/" + own.value;
    }

    SupervisordSetting setting(const IniSection& section, std::string_view name, const std::string& by_default,
                               const Names& names) const {
        const IniOption* option = ini_.find(section.name, name);
        if (option == nullptr) return {by_default, {}, false};
        const auto expanded = expand(option->value, names);
        return {expanded.value_or(option->value), option->place, !expanded};
    }

    Result<int> whole_number(const IniSection& section, std::string_view name, int by_default, const Names& names) const {
        const SupervisordSetting found = setting(section, name, std::to_string(by_default), names);
        int value = 0;
        const char* end = found.value.data() + found.value.size();
        const auto [stopped, error] = std::from_chars(found.value.data(), end, value);
        if (error == std::errc{} && stopped == end) return value;
        return wrong(found.place, std::string(name) + "=" + printable(found.value) + " is not a whole number");
    }

    Result<void> add_program(const IniSection& section, const std::string& name,
                             std::vector<SupervisordProgram>& programs) const {
        const auto group = group_of_.find(name);
        Names names = {{"program_name", name}, {"group_name", group != group_of_.end() ? group->second : name}};
        const auto count = whole_number(section, "numprocs", 1, names);
        if (!count) return std::unexpected(count.error());
        const auto start = whole_number(section, "numprocs_start", 0, names);
        if (!start) return std::unexpected(start.error());
        constexpr int kMost = 10'000;
        for (int number = *start; number < *start + std::min(*count, kMost); ++number) {
            names["process_num"] = std::to_string(number);
            names["numprocs"] = std::to_string(*count);
            auto program = one_process(section, names);
            if (!program) return std::unexpected(program.error());
            program->processes = *count;
            program->processes_place = setting(section, "numprocs", "1", names).place;
            programs.push_back(std::move(*program));
        }
        return {};
    }

    /// Of the settings that supervisord expands.
    Result<void> check_percents(const IniSection& section) const {
        for (const std::string_view name :
             {"command", "environment", "directory", "process_name", "stopwaitsecs", "exitcodes"}) {
            const IniOption* option = ini_.find(section.name, name);
            if (option != nullptr && has_stray_percent(option->value))
                return wrong(option->place, std::string(name) + "=" + printable(option->value) +
                                                " has a % that is no %(name)s: supervisord does not start with it; write %%");
        }
        return {};
    }

    Result<SupervisordProgram> one_process(const IniSection& section, Names names) const {
        if (auto checked = check_percents(section); !checked) return std::unexpected(checked.error());
        const SupervisordSetting environment = setting(section, "environment", "", names);
        for (auto& [variable, value] : key_values(environment.value)) names["ENV_" + variable] = value;
        SupervisordProgram program;
        const std::string process = setting(section, "process_name", names.at("program_name"), names).value;
        program.name = process == names.at("group_name") ? process : names.at("group_name") + ":" + process;
        program.section = section.name;
        program.place = section.place;
        const SupervisordSetting command = setting(section, "command", "", names);
        if (command.place.file.empty()) return wrong(section.place, "[" + section.name + "] has no command");
        program.words = shlex_split(command.value).value_or(std::vector<std::string>{});
        program.command = ini_.find(section.name, "command")->value;
        program.command_place = command.place;
        program.directory = directory_of(section, names);
        program.stopwaitsecs = setting(section, "stopwaitsecs", "10", names);
        program.stopsignal = setting(section, "stopsignal", "TERM", names);
        program.stopasgroup = setting(section, "stopasgroup", "false", names);
        program.killasgroup = setting(section, "killasgroup", program.stopasgroup.value, names);
        if (program.killasgroup.place.file.empty()) program.killasgroup.place = program.stopasgroup.place;
        program.autorestart = setting(section, "autorestart", "unexpected", names);
        program.exitcodes = setting(section, "exitcodes", "0", names);
        if (!program.stopwaitsecs.unknown) {
            if (auto seconds = whole_number(section, "stopwaitsecs", 10, names); !seconds)
                return std::unexpected(seconds.error());
        }
        return program;
    }

    const std::string& path_;
    const std::string here_;
    const EnvironmentLookup& environment_;
    IniFile ini_;
    Names own_environment_;  ///< ENV_… of [supervisord]
    Names group_of_;
};

}  // namespace

Result<std::vector<SupervisordProgram>> read_supervisord_config(const std::string& path, const EnvironmentLookup& environment) {
    return Reader(path, environment).read();
}

bool is_true(const std::string& value) {
    const std::string word = lower_case(value);
    return word == "yes" || word == "true" || word == "on" || word == "1";
}

}  // namespace lockstep
