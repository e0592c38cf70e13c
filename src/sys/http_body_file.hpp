#pragma once
// A file as the body of a request, in the form in which libcurl asks for it.

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "sys/curl_api.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// A file that is sent as a body: exactly as many bytes as it had when its length was announced.
struct HttpBodyFile {
    UniqueFd fd;
    off_t size = 0;
    off_t offset = 0;
};

/// @return why it cannot be read; nullopt if `file` is now open and its size known
std::optional<std::string> open_body_file(const std::string& path, HttpBodyFile& file);

/// CURLOPT_READFUNCTION and CURLOPT_SEEKFUNCTION; `user` is the HttpBodyFile.
std::size_t read_body_file(char* buffer, std::size_t size, std::size_t count, void* user);
int seek_body_file(void* user, curl_off_t offset, int origin);

}  // namespace lockstep
