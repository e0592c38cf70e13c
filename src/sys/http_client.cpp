#include "sys/http_client.hpp"

#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <climits>
#include <optional>

#include "sys/curl_api.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

const std::string* HttpResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), name.size()) == 0) return &value;
    }
    return nullptr;
}

namespace {

/// libcurl's two handles, used again for every exchange.
struct Handles {
    const CurlApi* curl = nullptr;
    CURLM* multi = nullptr;  // keeps the connections
    CURL* easy = nullptr;    // reset before each exchange, which costs less than a new one
    std::array<char, CURL_ERROR_SIZE> error{};

    Handles() = default;
    Handles(const Handles&) = delete;
    Handles& operator=(const Handles&) = delete;
    ~Handles() {
        if (easy != nullptr) curl->easy_cleanup(easy);
        if (multi != nullptr) curl->multi_cleanup(multi);
    }

    template <class Value>
    CURLcode set(CURLoption option, Value value) const {
        return curl->easy_setopt(easy, option, value);
    }
};

/// A file that is sent as a body: exactly as many bytes as it had when its length was announced.
struct BodyFile {
    UniqueFd fd;
    off_t size = 0;
    off_t offset = 0;
};

std::optional<std::string> open_body_file(const std::string& path, BodyFile& file) {
    file.fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!file.fd) return "reading the body file " + path + ": " + errno_text(errno);
    struct stat about{};
    if (::fstat(file.fd.get(), &about) != 0) return "reading the body file " + path + ": " + errno_text(errno);
    if (!S_ISREG(about.st_mode)) return "reading the body file " + path + ": it is not a regular file";
    file.size = about.st_size;
    return std::nullopt;
}

std::size_t read_body_file(char* buffer, std::size_t size, std::size_t count, void* user) {
    BodyFile& file = *static_cast<BodyFile*>(user);
    const std::size_t wanted = std::min(size * count, static_cast<std::size_t>(file.size - file.offset));
    if (wanted == 0) return 0;
    const ssize_t length = ::pread(file.fd.get(), buffer, wanted, file.offset);
    if (length <= 0) return CURL_READFUNC_ABORT;  // it shrank, or cannot be read any more
    file.offset += length;
    return static_cast<std::size_t>(length);
}

int seek_body_file(void* user, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    static_cast<BodyFile*>(user)->offset = offset;
    return CURL_SEEKFUNC_OK;
}

/// The answer as it comes in.
struct Incoming {
    HttpResponse response;
    bool too_large = false;
};

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* user) {
    HttpResponse& response = static_cast<Incoming*>(user)->response;
    std::string_view line(data, size * count);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
        response.headers.clear();  // after an interim answer (1xx)
    } else if (colon != std::string_view::npos) {
        std::string_view value = line.substr(colon + 1);
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        response.headers.emplace_back(line.substr(0, colon), value);
    }
    return size * count;
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* user) {
    Incoming& incoming = *static_cast<Incoming*>(user);
    if (incoming.response.body.size() + size * count > kLargestBody) {
        incoming.too_large = true;
        return 0;  // aborts the transfer
    }
    incoming.response.body.append(data, size * count);
    return size * count;
}

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

/// One exchange: what libcurl needs for it and must keep until it is over.
class Transfer {
  public:
    Transfer(Handles& handles, const HttpRequest& request) : handles_(handles), curl_(*handles.curl), request_(request) {}
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    ~Transfer() {
        curl_.slist_free_all(headers_);
        curl_.mime_free(mime_);
    }

    /// @return why the request cannot even be tried
    std::optional<std::string> prepare(Millis timeout);
    HttpExchange run(Millis timeout, const Interrupt* cut);

  private:
    void set_manners(Millis timeout);
    std::optional<std::string> set_method_and_body();
    std::optional<std::string> set_multipart();
    void set_headers(bool with_body);
    void add_header(const std::string& line) { headers_ = curl_.slist_append(headers_, line.c_str()); }
    bool drive(const Interrupt* cut, CURLcode& result);
    HttpFailure failure(CURLcode code, Millis timeout) const;
    bool something_was_sent() const;

    Handles& handles_;
    const CurlApi& curl_;
    const HttpRequest& request_;
    curl_slist* headers_ = nullptr;
    curl_mime* mime_ = nullptr;
    BodyFile file_;
    Incoming incoming_;
};

std::optional<std::string> Transfer::prepare(Millis timeout) {
    if (!is_http_url(request_.url)) return "\"" + request_.url + "\" is not a URL that begins with http:// or https://";
    curl_.easy_reset(handles_.easy);  // forgets all options, keeps connections
    handles_.error[0] = '\0';
    set_manners(timeout);
    return set_method_and_body();
}

void Transfer::set_manners(Millis timeout) {
    const long limit = std::clamp<long>(timeout.count(), 1, INT_MAX);
    handles_.set(CURLOPT_ERRORBUFFER, handles_.error.data());
    handles_.set(CURLOPT_URL, request_.url.c_str());
    handles_.set(CURLOPT_NOSIGNAL, 1L);
    handles_.set(CURLOPT_QUICK_EXIT, 1L);  // a cut or a time-out does not wait for a resolver's thread
    handles_.set(CURLOPT_PROTOCOLS_STR, "http,https");
    handles_.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    handles_.set(CURLOPT_PROXY, "");
    handles_.set(CURLOPT_TIMEOUT_MS, limit);
    handles_.set(CURLOPT_CONNECTTIMEOUT_MS, limit);
    handles_.set(CURLOPT_USERAGENT, "lockstep/" LOCKSTEP_VERSION);
    if (!has_header(request_.headers, "Accept-Encoding"))
        handles_.set(CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl can decode
    handles_.set(CURLOPT_FRESH_CONNECT, request_.fresh_connection ? 1L : 0L);
    handles_.set(CURLOPT_HEADERFUNCTION, &take_header);
    handles_.set(CURLOPT_HEADERDATA, &incoming_);
    handles_.set(CURLOPT_WRITEFUNCTION, &take_body);
    handles_.set(CURLOPT_WRITEDATA, &incoming_);
}

std::optional<std::string> Transfer::set_method_and_body() {
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

std::optional<std::string> Transfer::set_multipart() {
    mime_ = curl_.mime_init(handles_.easy);
    for (const HttpPart& part : request_.parts) {
        curl_mimepart* made = curl_.mime_addpart(mime_);
        curl_.mime_name(made, part.name.c_str());
        if (part.file.empty()) {
            curl_.mime_data(made, part.value.data(), part.value.size());
        } else {
            BodyFile probe;  // libcurl opens it later: what cannot be read is to be known before anything is sent
            if (auto problem = open_body_file(part.file, probe)) return problem;
            if (curl_.mime_filedata(made, part.file.c_str()) != CURLE_OK) return "reading the file " + part.file + " failed";
        }
        if (!part.content_type.empty()) curl_.mime_type(made, part.content_type.c_str());
    }
    handles_.set(CURLOPT_MIMEPOST, mime_);
    return std::nullopt;
}

void Transfer::set_headers(bool with_body) {
    for (const auto& [name, value] : request_.headers) {
        add_header(value.empty() ? name + ";" : name + ": " + value);  // "Name:" would mean to libcurl: leave it out
    }
    if (with_body) {
        add_header("Expect:");  // no pause for a 100 Continue that most servers do not send
        if (mime_ == nullptr && !has_header(request_.headers, "Content-Type")) add_header("Content-Type:");
    }
    handles_.set(CURLOPT_HTTPHEADER, headers_);
}

/// @return false if `cut` ended it
bool Transfer::drive(const Interrupt* cut, CURLcode& result) {
    constexpr int kLongestSleepMs = 60'000;  // libcurl shortens it to its own next timer
    curl_waitfd wait{cut != nullptr ? cut->fd() : -1, CURL_WAIT_POLLIN, 0};
    result = CURLE_FAILED_INIT;
    if (curl_.multi_add_handle(handles_.multi, handles_.easy) != CURLM_OK) return true;
    bool was_cut = false;
    for (int running = 1; running != 0 && !was_cut;) {
        if (curl_.multi_perform(handles_.multi, &running) != CURLM_OK) break;
        if (running == 0) break;
        if (curl_.multi_poll(handles_.multi, &wait, cut != nullptr ? 1U : 0U, kLongestSleepMs, nullptr) != CURLM_OK) break;
        was_cut = cut != nullptr && cut->fired();
    }
    int left = 0;
    while (const CURLMsg* message = curl_.multi_info_read(handles_.multi, &left)) {
        if (message->msg == CURLMSG_DONE) result = message->data.result;
    }
    return !was_cut;
}

bool Transfer::something_was_sent() const {
    // Counted over all connections of this exchange, so it stays above zero when libcurl sends the request again on another
    // one.
    long bytes = 0;
    curl_.easy_getinfo(handles_.easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

HttpFailure Transfer::failure(CURLcode code, Millis timeout) const {
    HttpFailure result;
    result.sent = something_was_sent();
    if (!result.sent) result.kind = HttpFailure::Kind::not_sent;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        if (result.sent) result.kind = HttpFailure::Kind::timed_out;
        result.text = (result.sent ? "no answer within " : "no connection within ") + format_duration(timeout);
    } else if (incoming_.too_large) {
        result.text = "answer larger than " + std::to_string(kLargestBody >> 20U) + " MiB";
    } else {
        result.text = handles_.error[0] != '\0' ? handles_.error.data() : curl_.easy_strerror(code);
        long os_errno = 0;
        curl_.easy_getinfo(handles_.easy, CURLINFO_OS_ERRNO, &os_errno);
        if (code == CURLE_COULDNT_CONNECT && os_errno != 0) result.text += " (" + errno_text(static_cast<int>(os_errno)) + ")";
    }
    return result;
}

HttpExchange Transfer::run(Millis timeout, const Interrupt* cut) {
    HttpExchange exchange;
    CURLcode code = CURLE_OK;
    if (!drive(cut, code)) {
        exchange.failure = {HttpFailure::Kind::cut, "cut off before the answer", something_was_sent()};
    } else if (code != CURLE_OK) {
        exchange.failure = failure(code, timeout);
    } else {
        long status = 0;
        curl_.easy_getinfo(handles_.easy, CURLINFO_RESPONSE_CODE, &status);
        exchange.answered = true;
        exchange.response = std::move(incoming_.response);
        exchange.response.status = static_cast<int>(status);
    }
    curl_.multi_remove_handle(handles_.multi, handles_.easy);  // closes the connection of an unfinished transfer
    return exchange;
}

}  // namespace

struct HttpClient::State {
    Handles handles;
};

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::create() {
    const auto curl = curl_api();
    if (!curl) return std::unexpected(curl.error());
    auto state = std::make_unique<State>();
    Handles& handles = state->handles;
    handles.curl = *curl;
    handles.multi = handles.curl->multi_init();
    handles.easy = handles.curl->easy_init();
    if (handles.multi == nullptr || handles.easy == nullptr) return fail(Failure::os, "making a libcurl handle: no memory");
    return HttpClient(std::move(state));
}

HttpExchange HttpClient::exchange(const HttpRequest& request, Millis timeout, const Interrupt* cut) {
    Transfer transfer(state_->handles, request);
    if (auto problem = transfer.prepare(timeout)) {
        HttpExchange exchange;
        exchange.failure = {HttpFailure::Kind::not_sent, std::move(*problem), false};
        return exchange;
    }
    return transfer.run(timeout, cut);
}

}  // namespace lockstep
