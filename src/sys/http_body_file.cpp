#include "sys/http_body_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace lockstep {

std::optional<std::string> open_body_file(const std::string& path, HttpBodyFile& file) {
    file.fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!file.fd) return "reading the body file " + path + ": " + errno_text(errno);
    struct stat about{};
    if (::fstat(file.fd.get(), &about) != 0) return "reading the body file " + path + ": " + errno_text(errno);
    if (!S_ISREG(about.st_mode)) return "reading the body file " + path + ": it is not a regular file";
    file.size = about.st_size;
    return std::nullopt;
}

std::size_t read_body_file(char* buffer, std::size_t size, std::size_t count, void* user) {
    HttpBodyFile& file = *static_cast<HttpBodyFile*>(user);
    const std::size_t wanted = std::min(size * count, static_cast<std::size_t>(file.size - file.offset));
    if (wanted == 0) return 0;
    const ssize_t length = ::pread(file.fd.get(), buffer, wanted, file.offset);
    if (length <= 0) return CURL_READFUNC_ABORT;  // it shrank, or cannot be read any more
    file.offset += length;
    return static_cast<std::size_t>(length);
}

int seek_body_file(void* user, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    static_cast<HttpBodyFile*>(user)->offset = offset;
    return CURL_SEEKFUNC_OK;
}

}  // namespace lockstep
