#include <algorithm>
#include <climits>
#include <utility>

#include "base/text.hpp"
#include "sys/http_transfer.hpp"

namespace lockstep {

namespace {

bool is_http_url(std::string_view url) {
    const auto starts = [&](std::string_view scheme) {
        return url.size() > scheme.size() && equal_ignoring_case(url.substr(0, scheme.size()), scheme);
    };
    return starts("http://") || starts("https://");
}

bool has_header(const HttpHeaders& headers, std::string_view name) {
    return std::ranges::any_of(headers, [&](const auto& header) { return equal_ignoring_case(header.first, name); });
}

}  // namespace

std::optional<HttpFailure> HttpTransfer::prepare(Millis timeout) {
    const auto not_made = [](std::string why) { return HttpFailure{HttpFailure::Kind::not_made, std::move(why), false}; };
    if (!is_http_url(request_.url))
        return not_made("\"" + request_.url + "\" is not a URL that begins with http:// or https://");
    handles_.error[0] = '\0';
    const std::string now = kind();
    if (now.empty() || now != handles_.kind) {
        curl_.easy_reset(handles_.easy);  // forgets all options, keeps connections
        set_manners();
    }
    handles_.kind = now;
    set_exchange(timeout);
    if (auto problem = set_method_and_body()) return not_made(std::move(*problem));
    if (!no_memory_) return std::nullopt;
    handles_.kind.clear();
    return HttpFailure{HttpFailure::Kind::not_sent, "no memory for the request", false};
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
    set(CURLOPT_ERRORBUFFER, handles_.error.data());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);  // a cut or a time-out does not wait for a resolver's thread
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_NOPROXY, "");                   // as for the environment's list of hosts, too
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // those of a tunnel's making are none of the answer's
    set(CURLOPT_USERAGENT, "lockstep/" LOCKSTEP_VERSION);
    if (!has_header(request_.headers, "Accept-Encoding")) set(CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl can decode
    set(CURLOPT_HEADERFUNCTION, &take_header);
    set(CURLOPT_WRITEFUNCTION, &take_body);
}

void HttpTransfer::set_exchange(Millis timeout) {
    const long limit = std::clamp<long>(timeout.count(), 1, INT_MAX);
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PROXY, request_.proxy.c_str());
    set(CURLOPT_TIMEOUT_MS, limit);
    set(CURLOPT_CONNECTTIMEOUT_MS, limit);
    // Called whenever the request is about to be sent. Before libcurl 7.80 there is no such call: then no connection is used
    // twice, and libcurl has no reason to send anything again.
    times_are_counted_ =
        handles_.set(CURLOPT_PREREQFUNCTION, &count_request) == CURLE_OK && handles_.set(CURLOPT_PREREQDATA, this) == CURLE_OK;
    set(CURLOPT_FRESH_CONNECT, request_.fresh_connection || !times_are_counted_ ? 1L : 0L);
    set(CURLOPT_HEADERDATA, &incoming_);
    set(CURLOPT_WRITEDATA, &incoming_);
}

std::optional<std::string> HttpTransfer::set_method_and_body() {
    const std::string& method = request_.method;
    bool with_body = true;
    if (!request_.parts.empty()) {
        if (auto problem = set_multipart()) return problem;
    } else if (!request_.body_file.empty()) {
        if (auto problem = open_body_file(request_.body_file, file_)) return problem;
        set(CURLOPT_POST, 1L);
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(file_.size));
        set(CURLOPT_READFUNCTION, &read_body_file);
        set(CURLOPT_READDATA, &file_);
        set(CURLOPT_SEEKFUNCTION, &seek_body_file);
        set(CURLOPT_SEEKDATA, &file_);
    } else if (request_.has_body || method == "POST" || method == "PUT" || method == "PATCH") {
        // An empty body of these methods is announced, too: Content-Length: 0 (RFC 9110 8.6).
        set(CURLOPT_POST, 1L);
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        set(CURLOPT_POSTFIELDS, request_.body.c_str());
    } else {
        with_body = false;
        if (method == "HEAD") set(CURLOPT_NOBODY, 1L);
    }
    if (method != "HEAD" || with_body) set(CURLOPT_CUSTOMREQUEST, method.c_str());
    set_headers(with_body);
    return std::nullopt;
}

std::optional<std::string> HttpTransfer::set_multipart() {
    mime_ = curl_.mime_init(handles_.easy);
    if (mime_ == nullptr) check(CURLE_OUT_OF_MEMORY);
    for (const HttpPart& part : request_.parts) {
        curl_mimepart* made = curl_.mime_addpart(mime_);
        if (made == nullptr) check(CURLE_OUT_OF_MEMORY);
        if (no_memory_) return std::nullopt;
        check(curl_.mime_name(made, part.name.c_str()));
        if (part.file.empty()) {
            check(curl_.mime_data(made, part.value.data(), part.value.size()));
        } else {
            HttpBodyFile probe;  // libcurl opens it later: what cannot be read is to be known before anything is sent
            if (auto problem = open_body_file(part.file, probe)) return problem;
            if (curl_.mime_filedata(made, part.file.c_str()) != CURLE_OK) return "reading the file " + part.file + " failed";
        }
        if (!part.content_type.empty()) check(curl_.mime_type(made, part.content_type.c_str()));
    }
    set(CURLOPT_MIMEPOST, mime_);
    return std::nullopt;
}

void HttpTransfer::add_header(const std::string& line) {
    curl_slist* const longer = curl_.slist_append(headers_, line.c_str());
    if (longer == nullptr) return check(CURLE_OUT_OF_MEMORY);  // the list is as it was
    headers_ = longer;
}

void HttpTransfer::set_headers(bool with_body) {
    for (const auto& [name, value] : request_.headers) {
        add_header(value.empty() ? name + ";" : name + ": " + value);  // "Name:" would mean to libcurl: leave it out
    }
    if (with_body) {
        add_header("Expect:");  // no pause for a 100 Continue that most servers do not send
        if (mime_ == nullptr && !has_header(request_.headers, "Content-Type")) add_header("Content-Type:");
    }
    set(CURLOPT_HTTPHEADER, headers_);
}

}  // namespace lockstep
