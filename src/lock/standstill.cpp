#include "lock/standstill.hpp"

#include "lock/standpoint.hpp"

namespace lockstep {

namespace {

// proc(5), field 3 of /proc/PID/stat.
constexpr char kStopped = 'T';
constexpr char kTraced = 't';  // also a process that was stopped while it is traced

std::optional<bool> is_still(char state) {
    if (state == 0) return std::nullopt;
    return state == kStopped || state == kTraced;
}

/// @param all  the pids that are to be continued
std::string describe(const std::string& who, char state, const std::string& all) {
    if (state == kTraced) return who + " is held still by what traces it, such as a debugger";
    if (state == kStopped) return who + " is stopped (as by SIGSTOP); kill -CONT " + all + " lets it go on";
    return "";
}

/// 0 where its pid means nothing to us. The state is read first: if the process is the record's afterwards, so it was then.
char guardian_state(const LockRecord& record) {
    const char state = record.guardian_pid > 0 ? process_state(record.guardian_pid) : '\0';
    return state != 0 && Standpoint().lives(record) ? state : '\0';
}

}  // namespace

std::optional<bool> is_stopped(pid_t pid) { return is_still(process_state(pid)); }

std::optional<bool> is_stopped(const LockRecord& record) { return is_still(guardian_state(record)); }

std::string describe_standstill(pid_t pid) {
    const std::string number = std::to_string(pid);
    return describe("pid " + number, process_state(pid), number);
}

std::string describe_standstill(const LockRecord& record) {
    const std::string guardian = std::to_string(record.guardian_pid);
    const bool with_front = record.front_pid > 0 && record.front_pid != record.guardian_pid &&
                            process_state(record.front_pid) == kStopped &&
                            is_same_process(record.front_pid, record.front_start);
    return describe("its guardian (pid " + guardian + ")", guardian_state(record),
                    (with_front ? std::to_string(record.front_pid) + " " : "") + guardian);
}

}  // namespace lockstep
