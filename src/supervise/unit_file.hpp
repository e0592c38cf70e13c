#pragma once
// A systemd unit as it lies on the disk: its file and its drop-ins, in the order in which they count.
// Source: systemd.unit(5), systemd.syntax(7).

#include <string>
#include <vector>

#include "base/error.hpp"
#include "supervise/config_place.hpp"

namespace lockstep {

struct UnitAssignment {
    std::string section;
    std::string key;
    std::string value;
    ConfigPlace place;
};

struct UnitFiles {
    std::string name;      ///< "ship-orders.service"
    std::string fragment;  ///< the unit's file
    std::vector<std::string> drop_ins;
    std::vector<UnitAssignment> assignments;  ///< of all of them; a later one counts

    /// Where [Service] begins in the fragment.
    ConfigPlace section_place(std::string_view section) const;
    /// The last assignment that is not empty, or nullptr.
    const UnitAssignment* last(std::string_view section, std::string_view key) const;
};

/// The sections of a text, for reading systemd's own configuration, too. Lines that are no assignments are left out, as systemd
/// leaves them out.
std::vector<UnitAssignment> parse_unit_text(std::string_view text, const std::string& path);

/// Finds and reads a unit. `name_or_path`: a name (".service" may be missing) is looked up as systemd does it; what has a slash
/// is a file, whose drop-ins are those beside it and those that systemd would find for its name.
/// @param root  what stands before /etc, /run and /usr: "" but in tests
/// Error: Failure::no_job_file naming where it was looked for.
Result<UnitFiles> find_unit(const std::string& name_or_path, const std::string& root);

/// Reads the named files as one unit.
Result<UnitFiles> read_unit(const std::string& name, const std::string& fragment, const std::vector<std::string>& drop_ins);

/// DefaultTimeoutStopSec of system.conf and its drop-ins; an empty place: systemd's own 90 s.
UnitAssignment default_stop_timeout(const std::string& root);

}  // namespace lockstep
