#include "sys/whole_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "sys/unique_fd.hpp"

namespace lockstep {

Result<std::string> read_to_end(int fd, Failure failure, const std::string& what) {
    std::string text;
    std::array<char, 16384> piece{};
    for (;;) {
        const ssize_t length = ::read(fd, piece.data(), piece.size());
        if (length == 0) return text;
        if (length > 0) text.append(piece.data(), static_cast<std::size_t>(length));
        if (length < 0 && errno != EINTR) return os_error(failure, what);
    }
}

Result<std::string> read_whole_file(const std::string& path, Failure failure, const std::string& what) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
    if (!file) return os_error(failure, what);
    return read_to_end(file.get(), failure, what);
}

}  // namespace lockstep
