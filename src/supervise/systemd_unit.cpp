#include "supervise/systemd_unit.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "supervise/stop_route.hpp"
#include "supervise/systemctl.hpp"
#include "supervise/time_span.hpp"

namespace lockstep {

namespace {

/// systemd.syntax(7), "Boolean arguments". nullopt: no boolean, which systemd passes over.
std::optional<bool> boolean(std::string_view value) {
    constexpr std::string_view kYes[] = {"yes", "y", "true", "t", "on", "1"};
    constexpr std::string_view kNo[] = {"no", "n", "false", "f", "off", "0"};
    const std::string word = lower_case(value);
    if (std::ranges::find(kYes, word) != std::end(kYes)) return true;
    if (std::ranges::find(kNo, word) != std::end(kNo)) return false;
    return std::nullopt;
}

UnitAssignment setting(const UnitFiles& files, const std::string& key, const std::string& by_default) {
    const UnitAssignment* found = files.last("Service", key);
    return found != nullptr ? *found : UnitAssignment{"Service", key, by_default, {}};
}

/// The last one that is a boolean, its value "yes" or "no".
UnitAssignment boolean_setting(const UnitFiles& files, const std::string& key, bool by_default) {
    UnitAssignment found{"Service", key, by_default ? "yes" : "no", {}};
    for (const UnitAssignment& one : files.assignments) {
        if (one.section != "Service" || one.key != key) continue;
        if (const auto value = boolean(one.value)) {
            found = one;
            found.value = *value ? "yes" : "no";
        }
    }
    return found;
}

/// The last that counts of TimeoutStopSec= and TimeoutSec=; what is no time span is passed over.
void read_stop_timeout(const UnitFiles& files, const UnitAssignment& default_timeout, SystemdUnit& unit) {
    unit.stop_setting = default_timeout;
    unit.stop_timeout = parse_stop_timeout(default_timeout.value).value_or(Millis{90'000});
    for (const UnitAssignment& one : files.assignments) {
        if (one.section != "Service" || (one.key != "TimeoutStopSec" && one.key != "TimeoutSec")) continue;
        if (const auto span = parse_stop_timeout(one.value)) {
            unit.stop_timeout = *span;
            unit.stop_setting = one;
        }
    }
    const UnitAssignment kills = boolean_setting(files, "SendSIGKILL", true);
    if (kills.value == "no") {
        unit.stop_timeout = std::nullopt;
        unit.stop_setting = kills;
    }
}

/// systemd.service(5): NotifyAccess= is none by default; Type=notify and WatchdogSec= force none to main.
bool hears_the_main_process(const UnitFiles& files) {
    const auto access = setting(files, "NotifyAccess", "none").value;
    if (access == "main" || access == "exec" || access == "all") return true;
    const auto watchdog = parse_stop_timeout(setting(files, "WatchdogSec", "0").value);  // 0: none, as there
    return setting(files, "Type", "simple").value.starts_with("notify") || (watchdog && *watchdog);
}

/// "" where it is not known here: a home, or named by a specifier.
std::string working_directory(const UnitFiles& files) {
    std::string value = setting(files, "WorkingDirectory", "/").value;
    if (value.starts_with('-')) value.erase(0, 1);
    return value.starts_with('~') ? "" : with_specifiers(value, files.name).value_or("");
}

SystemdUnit of_manager(const SystemctlProperties& shown, const std::string& name) {
    std::vector<std::string> drop_ins;
    const std::string& listed = shown.at("DropInPaths");
    for (std::size_t at = 0; at < listed.size();) {
        const std::size_t end = std::min(listed.find(' ', at), listed.size());
        if (end > at) drop_ins.push_back(listed.substr(at, end - at));
        at = end + 1;
    }
    // Files that cannot be read, as from inside a unit with a /tmp or a root of its own, only lack the lines.
    const auto files = read_unit(name, shown.at("FragmentPath"), drop_ins);
    SystemdUnit unit =
        systemd_unit_of(files.value_or(UnitFiles{name, shown.at("FragmentPath"), drop_ins, {}}), default_stop_timeout(""));
    if (const auto span = parse_stop_timeout(shown.at("TimeoutStopUSec"));
        span && boolean(shown.at("SendSIGKILL")) == true && *span != unit.stop_timeout) {
        unit.stop_timeout = *span;
        unit.stop_setting.value = shown.at("TimeoutStopUSec");
    }
    unit.kill_mode.value = shown.at("KillMode");
    unit.hears_the_run = shown.at("NotifyAccess") != "none" && std::ranges::all_of(unit.commands, becomes_lockstep);
    unit.private_tmp.value = shown.at("PrivateTmp");
    unit.needs_reload = boolean(shown.at("NeedDaemonReload")) == true;
    return unit;
}

}  // namespace

SystemdUnit systemd_unit_of(const UnitFiles& files, const UnitAssignment& default_timeout) {
    SystemdUnit unit;
    unit.name = files.name;
    unit.place = files.section_place("Service");
    const UnitVariables variables = unit_variables(files);
    for (const UnitAssignment& one : files.assignments) {
        if (one.section != "Service") continue;
        if (one.key == "ExecStart" && one.value.empty()) {
            unit.commands.clear();
            unit.command_lines.clear();
        } else if (one.key == "ExecStart") {
            unit.commands.push_back(exec_words(one.value, files.name, variables));
            unit.command_lines.push_back(one);
        }
        if (one.key == "SuccessExitStatus" && one.value.empty()) unit.success_exit_status.clear();
        if (one.key == "SuccessExitStatus") unit.success_exit_status += one.value + " ";
    }
    unit.directory = working_directory(files);
    read_stop_timeout(files, default_timeout, unit);
    unit.kill_mode = setting(files, "KillMode", "control-group");
    unit.hears_the_run = hears_the_main_process(files) && std::ranges::all_of(unit.commands, becomes_lockstep);
    unit.kill_signal = setting(files, "KillSignal", "SIGTERM");
    unit.private_tmp = boolean_setting(files, "PrivateTmp", false);
    const UnitAssignment dynamic = boolean_setting(files, "DynamicUser", false);
    if (dynamic.value == "yes" && unit.private_tmp.value == "no") unit.private_tmp = dynamic;
    return unit;
}

Result<ManagedUnit> ask_systemd(const std::string& name, bool user, Millis limit) {
    const auto shown = systemctl_show(name,
                                      {"LoadState", "FragmentPath", "DropInPaths", "TimeoutStopUSec", "KillMode",
                                       "NotifyAccess", "PrivateTmp", "SendSIGKILL", "NeedDaemonReload", "MainPID"},
                                      user, limit);
    if (!shown) return std::unexpected(shown.error());
    if (shown->at("LoadState") != "loaded" || shown->at("FragmentPath").empty())
        return fail(Failure::os, "systemd has no unit " + printable(name) + " with a file");
    ManagedUnit managed{of_manager(*shown, name), 0};
    const std::string& pid = shown->at("MainPID");
    std::from_chars(pid.data(), pid.data() + pid.size(), managed.main_pid);
    return managed;
}

Result<SystemdUnit> read_systemd_unit(const std::string& name_or_path, const std::string& root) {
    if (root.empty() && name_or_path.find('/') == std::string::npos && systemd_runs_this_machine()) {
        constexpr Millis kPatient{5000};
        auto managed = ask_systemd(name_or_path.find('.') == std::string::npos ? name_or_path + ".service" : name_or_path,
                                   false, kPatient);
        if (managed) return std::move(managed->unit);
    }
    const auto files = find_unit(name_or_path, root);
    if (!files) return std::unexpected(files.error());
    return systemd_unit_of(*files, default_stop_timeout(root));
}

}  // namespace lockstep
