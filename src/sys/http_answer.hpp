#pragma once
// The answer to a request as libcurl hands it over, piece by piece.

#include <cstddef>

#include "sys/http_client.hpp"

namespace lockstep {

/// The answer as it comes in.
struct IncomingAnswer {
    HttpResponse response;
    bool head_is_whole = false;  ///< the blank line behind the headers was there; libcurl takes an end before it for one
    bool in_header = false;      ///< the line before was a header, or the rest of one
    bool too_large = false;
};

/// CURLOPT_HEADERFUNCTION and CURLOPT_WRITEFUNCTION; `user` is the IncomingAnswer.
std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user);
std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user);

}  // namespace lockstep
