#include "base/error.hpp"

#include <cstring>

namespace lockstep {

std::string errno_text(int errno_value) {
    const char* text = ::strerrordesc_np(errno_value);
    return text != nullptr ? text : "error " + std::to_string(errno_value);
}

std::unexpected<Error> fail(Failure failure, std::string text, int errno_value) {
    const bool no_descriptor = errno_value == EMFILE || errno_value == ENFILE;
    return std::unexpected(Error{no_descriptor ? Failure::os : failure, std::move(text), errno_value});
}

std::unexpected<Error> os_error(Failure failure, const std::string& what, int errno_value) {
    return fail(failure, what + ": " + errno_text(errno_value), errno_value);
}

std::unexpected<Error> os_error(Failure failure, const std::string& what) {
    const int saved = errno;
    return os_error(failure, what, saved);
}

}  // namespace lockstep
