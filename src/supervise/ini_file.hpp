#pragma once
// An ini file as supervisord reads it: Python's configparser with ';' and '#' as inline comments, names without case, "=" or
// ":" between name and value, indented lines continuing a value, a section that comes again adding to the first.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "supervise/config_place.hpp"

namespace lockstep {

struct IniOption {
    std::string value;
    ConfigPlace place;
};

struct IniSection {
    std::string name;
    ConfigPlace place;  ///< of its header, where it first appears
    std::map<std::string, IniOption, std::less<>> options;

    const IniOption* find(std::string_view name_of_option) const;
};

/// Sections in the order of their first appearance. `[DEFAULT]` is one of them: its options are those of every section.
class IniFile {
  public:
    /// Adds a file's sections. Error: Failure::no_job_file, or Failure::job_file naming file and line.
    Result<void> read(const std::string& path);
    Result<void> read_text(std::string_view text, const std::string& path);

    const IniSection* find(std::string_view section) const;
    /// The option of a section, or of [DEFAULT].
    const IniOption* find(std::string_view section, std::string_view option) const;
    const std::vector<IniSection>& sections() const { return sections_; }
    /// Replaces `%(here)s` in every value, as supervisord does after each file that it reads.
    void expand_here(const std::string& directory);

  private:
    IniSection& section(const std::string& name, const ConfigPlace& place);

    std::vector<IniSection> sections_;
};

/// The whole of a file. Error: Failure::no_job_file.
Result<std::string> read_config_text(const std::string& path);

}  // namespace lockstep
