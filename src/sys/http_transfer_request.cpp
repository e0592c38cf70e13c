#include <strings.h>

#include <algorithm>
#include <climits>

#include "sys/http_transfer.hpp"

namespace lockstep {

namespace {

bool is_http_url(std::string_view url) {
    const auto starts = [&](std::string_view scheme) {
        return url.size() > scheme.size() && ::strncasecmp(url.data(), scheme.data(), scheme.size()) == 0;
    };
    return starts("http://") || starts("https://");
}

bool has_header(const HttpHeaders& headers, std::string_view name) {
    return std::ranges::any_of(headers, [&](const auto& header) {
        return header.first.size() == name.size() && ::strncasecmp(header.first.data(), name.data(), name.size()) == 0;
    });
}

}  // namespace

std::optional<std::string> HttpTransfer::prepare(Millis timeout) {
    if (!is_http_url(request_.url)) return "\"" + request_.url + "\" is not a URL that begins with http:// or https://";
    handles_.error[0] = '\0';
    const std::string now = kind();
    if (now.empty() || now != handles_.kind) {
        curl_.easy_reset(handles_.easy);  // forgets all options, keeps connections
        set_manners();
    }
    handles_.kind = now;
    set_exchange(timeout);
    return set_method_and_body();
}

/// Requests of one kind set the same options, so that none is left from the one before. Empty: a kind of its own.
std::string HttpTransfer::kind() const {
    if (!request_.parts.empty() || !request_.body_file.empty()) return "";
    return request_.method + (request_.has_body ? " body" : "") +
           (has_header(request_.headers, "Accept-Encoding") ? " encoding" : "");
}

int HttpTransfer::count_request(void* transfer, char*, char*, int, int) {
    ++static_cast<HttpTransfer*>(transfer)->times_sent_;
    return CURL_PREREQFUNC_OK;
}

void HttpTransfer::set_manners() {
    handles_.set(CURLOPT_ERRORBUFFER, handles_.error.data());
    handles_.set(CURLOPT_NOSIGNAL, 1L);
    handles_.set(CURLOPT_QUICK_EXIT, 1L);  // a cut or a time-out does not wait for a resolver's thread
    handles_.set(CURLOPT_PROTOCOLS_STR, "http,https");
    handles_.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    handles_.set(CURLOPT_PROXY, "");
    handles_.set(CURLOPT_USERAGENT, "lockstep/" LOCKSTEP_VERSION);
    if (!has_header(request_.headers, "Accept-Encoding"))
        handles_.set(CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl can decode
    handles_.set(CURLOPT_HEADERFUNCTION, &take_header);
    handles_.set(CURLOPT_WRITEFUNCTION, &take_body);
}

void HttpTransfer::set_exchange(Millis timeout) {
    const long limit = std::clamp<long>(timeout.count(), 1, INT_MAX);
    handles_.set(CURLOPT_URL, request_.url.c_str());
    handles_.set(CURLOPT_TIMEOUT_MS, limit);
    handles_.set(CURLOPT_CONNECTTIMEOUT_MS, limit);
    // Called whenever the request is about to be sent. Before libcurl 7.80 there is no such call: then no connection is used
    // twice, and libcurl has no reason to send anything again.
    const bool counted =
        handles_.set(CURLOPT_PREREQFUNCTION, &count_request) == CURLE_OK && handles_.set(CURLOPT_PREREQDATA, this) == CURLE_OK;
    handles_.set(CURLOPT_FRESH_CONNECT, request_.fresh_connection || !counted ? 1L : 0L);
    handles_.set(CURLOPT_HEADERDATA, &incoming_);
    handles_.set(CURLOPT_WRITEDATA, &incoming_);
}

std::optional<std::string> HttpTransfer::set_method_and_body() {
    const std::string& method = request_.method;
    bool with_body = true;
    if (!request_.parts.empty()) {
        if (auto problem = set_multipart()) return problem;
    } else if (!request_.body_file.empty()) {
        if (auto problem = open_body_file(request_.body_file, file_)) return problem;
        handles_.set(CURLOPT_POST, 1L);
        handles_.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(file_.size));
        handles_.set(CURLOPT_READFUNCTION, &read_body_file);
        handles_.set(CURLOPT_READDATA, &file_);
        handles_.set(CURLOPT_SEEKFUNCTION, &seek_body_file);
        handles_.set(CURLOPT_SEEKDATA, &file_);
    } else if (request_.has_body || method == "POST" || method == "PUT" || method == "PATCH") {
        // An empty body of these methods is announced, too: Content-Length: 0 (RFC 9110 8.6).
        handles_.set(CURLOPT_POST, 1L);
        handles_.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        handles_.set(CURLOPT_POSTFIELDS, request_.body.c_str());
    } else {
        with_body = false;
        if (method == "HEAD") handles_.set(CURLOPT_NOBODY, 1L);
    }
    if (method != "HEAD" || with_body) handles_.set(CURLOPT_CUSTOMREQUEST, method.c_str());
    set_headers(with_body);
    return std::nullopt;
}

std::optional<std::string> HttpTransfer::set_multipart() {
    mime_ = curl_.mime_init(handles_.easy);
    for (const HttpPart& part : request_.parts) {
        curl_mimepart* made = curl_.mime_addpart(mime_);
        curl_.mime_name(made, part.name.c_str());
        if (part.file.empty()) {
            curl_.mime_data(made, part.value.data(), part.value.size());
        } else {
            HttpBodyFile probe;  // libcurl opens it later: what cannot be read is to be known before anything is sent
            if (auto problem = open_body_file(part.file, probe)) return problem;
            if (curl_.mime_filedata(made, part.file.c_str()) != CURLE_OK) return "reading the file " + part.file + " failed";
        }
        if (!part.content_type.empty()) curl_.mime_type(made, part.content_type.c_str());
    }
    handles_.set(CURLOPT_MIMEPOST, mime_);
    return std::nullopt;
}

void HttpTransfer::set_headers(bool with_body) {
    for (const auto& [name, value] : request_.headers) {
        add_header(value.empty() ? name + ";" : name + ": " + value);  // "Name:" would mean to libcurl: leave it out
    }
    if (with_body) {
        add_header("Expect:");  // no pause for a 100 Continue that most servers do not send
        if (mime_ == nullptr && !has_header(request_.headers, "Content-Type")) add_header("Content-Type:");
    }
    handles_.set(CURLOPT_HTTPHEADER, headers_);
}

}  // namespace lockstep
