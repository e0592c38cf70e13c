#include "sys/http_answer.hpp"

#include <strings.h>

#include <algorithm>

namespace lockstep {

const std::string* HttpResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), name.size()) == 0) return &value;
    }
    return nullptr;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
    IncomingAnswer& incoming = *static_cast<IncomingAnswer*>(user);
    HttpResponse& response = incoming.response;
    std::string_view line(data, size * count);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (line.empty()) {
        incoming.head_is_whole = true;
    } else if (line.starts_with("HTTP/")) {
        response.headers.clear();  // after an interim answer (1xx)
        incoming.head_is_whole = false;
    } else if (colon != std::string_view::npos) {
        std::string_view value = line.substr(colon + 1);
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        response.headers.emplace_back(line.substr(0, colon), value);
    }
    return size * count;
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
    IncomingAnswer& incoming = *static_cast<IncomingAnswer*>(user);
    if (incoming.response.body.size() + size * count > kLargestBody) {
        incoming.too_large = true;
        return 0;  // aborts the transfer
    }
    incoming.response.body.append(data, size * count);
    return size * count;
}

}  // namespace lockstep
