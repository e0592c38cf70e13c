#pragma once
// What every fallible function returns: a value, or an error that names the operation and the object.

#include <cerrno>
#include <expected>
#include <string>
#include <utility>

namespace lockstep {

/// The kinds of failure that end a run, each with an exit status of its own (see exit_status.hpp).
enum class Failure {
    usage,        ///< the command line is wrong
    no_job_file,  ///< there is no such job file, or another file that was named
    items,        ///< the items of the batch could not be had
    os,           ///< the system refused something that every run needs (a process, a pipe, memory)
    lock,         ///< the lock cannot be made, or is not ours to use
    journal,      ///< the journal cannot be read or written
    busy,         ///< somebody else holds the lock: try again later
    secret,       ///< a secret could not be had; it may be there again at the next pass
    job_file,     ///< the job file is wrong
    output,       ///< stdout cannot be written
    stopped,      ///< a stop request came first; nothing was begun
};

/// A failure that a person can read: what was being done, to what, why it failed and, where there is one, a way out.
struct Error {
    Failure failure = Failure::os;
    std::string text;
    int errno_value = 0;  ///< errno(3) of the failed call, or 0
};

template <class T>
using Result = std::expected<T, Error>;

/// Where there is no descriptor left (EMFILE, ENFILE) it is Failure::os, whatever was being done.
std::unexpected<Error> fail(Failure failure, std::string text, int errno_value = 0);

/// "`what`: No such file or directory", from errno, which is read before anything else can change it.
std::unexpected<Error> os_error(Failure failure, const std::string& what);

/// The same for an error number that a call returned instead of setting errno (posix_spawn, pthreads).
std::unexpected<Error> os_error(Failure failure, const std::string& what, int errno_value);

/// strerror(3) without its data race.
std::string errno_text(int errno_value);

}  // namespace lockstep
