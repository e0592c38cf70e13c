#include "sys/http_transfer.hpp"

#include <utility>

namespace lockstep {

namespace {

/// The limit of a header line, 100 KiB (CURL_MAX_HTTP_HEADER), has a code of its own since libcurl 8.6. Before that it is
/// CURLE_OUT_OF_MEMORY, which a real lack of memory is as well, and nothing tells them apart.
constexpr auto kTooLarge = static_cast<CURLcode>(100);  // CURLE_TOO_LARGE, which older headers do not have

std::string describe_header_limit(CURLcode code) {
    const std::string text = "a header of the answer is longer than libcurl takes (100 KiB)";
    return code == kTooLarge ? text : text + ", or there is no memory for it";
}

}  // namespace

/// @return false if `cut` ended it
bool HttpTransfer::drive(const Interrupt* cut, CURLcode& result) {
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

bool HttpTransfer::something_was_sent() const {
    // What a proxy was asked for, to make a tunnel, is no part of the request.
    if (!request_.proxy.empty() && times_are_counted_ && times_sent_ == 0) return false;
    // Counted over all connections of this exchange, so it stays above zero when libcurl sends the request again on another
    // one.
    long bytes = 0;
    curl_.easy_getinfo(handles_.easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

std::string HttpTransfer::describe_time_out(bool sent, Millis timeout) const {
    const std::string within = " within " + format_duration(timeout);
    if (!sent) return "no connection" + within;
    long status = 0;
    curl_.easy_getinfo(handles_.easy, CURLINFO_RESPONSE_CODE, &status);
    // A whole head may be that of an interim answer (1xx), which promises nothing.
    if (!incoming_.head_is_whole || status < 200) return "no answer" + within;
    curl_off_t bytes = 0;  // as they came, before they were decoded
    curl_.easy_getinfo(handles_.easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    return "status " + std::to_string(status) + ", but its body did not end" + within + " (" + std::to_string(bytes) +
           (bytes == 1 ? " byte" : " bytes") + " came)";
}

HttpFailure HttpTransfer::failure(CURLcode code, Millis timeout) const {
    HttpFailure result;
    result.sent = something_was_sent();
    if (!result.sent) result.kind = code == CURLE_URL_MALFORMAT ? HttpFailure::Kind::not_made : HttpFailure::Kind::not_sent;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        if (result.sent) result.kind = HttpFailure::Kind::timed_out;
        result.text = describe_time_out(result.sent, timeout);
    } else if (incoming_.too_large) {
        result.text = "answer larger than " + std::to_string(kLargestBody >> 20U) + " MiB";
    } else if (result.sent && !incoming_.head_is_whole && handles_.error[0] == '\0' &&
               (code == kTooLarge || code == CURLE_OUT_OF_MEMORY)) {
        result.text = describe_header_limit(code);
    } else {
        result.text = handles_.error[0] != '\0' ? handles_.error.data() : curl_.easy_strerror(code);
        long os_errno = 0;
        curl_.easy_getinfo(handles_.easy, CURLINFO_OS_ERRNO, &os_errno);
        if (code == CURLE_COULDNT_CONNECT && os_errno != 0) result.text += " (" + errno_text(static_cast<int>(os_errno)) + ")";
    }
    return result;
}

HttpExchange HttpTransfer::run(Millis timeout, const Interrupt* cut) {
    HttpExchange exchange;
    CURLcode code = CURLE_OK;
    if (!drive(cut, code)) {
        exchange.failure = {HttpFailure::Kind::cut, "cut off before the answer", something_was_sent()};
    } else if (code != CURLE_OK) {
        exchange.failure = failure(code, timeout);
    } else if (!incoming_.head_is_whole) {
        exchange.failure = {HttpFailure::Kind::broken, "the connection was closed before the end of the answer's headers",
                            true};
    } else {
        long status = 0;
        curl_.easy_getinfo(handles_.easy, CURLINFO_RESPONSE_CODE, &status);
        exchange.answered = true;
        exchange.response = std::move(incoming_.response);
        exchange.response.status = static_cast<int>(status);
    }
    exchange.sent_twice = times_sent_ > 1;
    curl_.multi_remove_handle(handles_.multi, handles_.easy);  // closes the connection of an unfinished transfer
    return exchange;
}

}  // namespace lockstep
