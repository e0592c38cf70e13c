#include "sys/http_answer.hpp"

#include "base/text.hpp"

namespace lockstep {

const std::string* HttpResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (equal_ignoring_case(key, name)) return &value;
    }
    return nullptr;
}

/// A line that begins with a blank goes on with the header before it (RFC 9112 section 5.2: one blank for the fold), whatever
/// it holds; behind no header it is left out.
std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
    IncomingAnswer& incoming = *static_cast<IncomingAnswer*>(user);
    HttpResponse& response = incoming.response;
    std::string_view line(data, size * count);
    const bool goes_on = line.starts_with(' ') || line.starts_with('\t');
    line = trimmed(line);
    const std::size_t colon = line.find(':');
    if (goes_on) {
        if (incoming.in_header && !line.empty()) {
            std::string& value = response.headers.back().second;
            value.append(value.empty() ? "" : " ").append(line);
        }
        return size * count;
    }
    incoming.in_header = false;
    if (line.empty()) {
        incoming.head_is_whole = true;
    } else if (line.starts_with("HTTP/")) {
        response.headers.clear();  // after an interim answer (1xx)
        incoming.head_is_whole = false;
    } else if (colon != std::string_view::npos) {
        response.headers.emplace_back(line.substr(0, colon), trimmed(line.substr(colon + 1)));
        incoming.in_header = true;
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
