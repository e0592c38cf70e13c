#include "cli/init_command.hpp"

#include "base/exit_status.hpp"
#include "base/text.hpp"
#include "cli/output.hpp"
#include "cli/written_files.hpp"
#include "job/starting_job.hpp"

namespace lockstep {

int init_command(const InitArguments& arguments) {
    constexpr std::size_t kLongest = 100;
    if (!is_name(arguments.name) || arguments.name.size() > kLongest) {
        return report_error({Failure::usage,
                             "\"" + printable(arguments.name) +
                                 "\" is not a name for a job: use letters, digits, '_' and '-', at most 100, and do not begin "
                                 "with a digit or '-'",
                             0});
    }
    std::vector<NewFile> files;
    for (StartingFile& file : starting_job(arguments.kind, arguments.name))
        files.push_back({std::move(file.name), std::move(file.text)});
    const auto said = write_files(arguments.directory, files, arguments.force);
    if (!said) return report_error(said.error());
    const std::string file =
        shell_quoted((arguments.directory == "." ? "" : arguments.directory + "/") + arguments.name + ".json");
    return print_done(*said + "next: lockstep check " + file + "\n      lockstep run " + file + " --dry-run\n",
                      to_int(ExitStatus::ok));
}

}  // namespace lockstep
