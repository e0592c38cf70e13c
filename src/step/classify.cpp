#include "step/classify.hpp"

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace lockstep {

namespace {

enum class When : std::uint8_t { always, keyed, resend, keyed_resend };

struct Row {
    int from;
    int to;
    When when;
    Meaning meaning;
};

constexpr Meaning kNotApplied{Verdict::not_applied};
constexpr Meaning kRefused{Verdict::refused};
constexpr Meaning kInDoubt{Verdict::in_doubt};
constexpr Meaning kPark{.verdict = Verdict::in_doubt, .park = true};

// The first row that fits counts. What is not here (1xx, 2xx that `success` does not accept, 3xx, other 5xx) is in doubt.
constexpr std::array kStatusTable = {
    Row{429, 429, When::always, kNotApplied},     // turned away before any work
    Row{421, 421, When::always, kNotApplied},     // RFC 9110, 15.5.20: by a server that does not answer for that place
    Row{425, 425, When::always, kNotApplied},     // RFC 8470, 5.2: not processed, for it might be a replay
    Row{503, 503, When::keyed, kNotApplied},      // with a key, asking again can do no harm
    Row{408, 408, When::always, kInDoubt},        //
    Row{409, 409, When::keyed_resend, kInDoubt},  // the first request is still at work under this key
    Row{422, 422, When::keyed_resend, kPark},     // the key was used for another request
    // These are said before the key is looked up, or by what stands in front of the API while it is deployed: on a resend they
    // tell nothing about the request that went before.
    Row{401, 401, When::resend, kInDoubt},
    Row{403, 403, When::resend, kInDoubt},
    Row{404, 405, When::resend, kInDoubt},
    Row{407, 407, When::resend, kInDoubt},
    Row{410, 410, When::resend, kInDoubt},
    Row{400, 499, When::always, kRefused},
};

bool fits(When when, RequestTraits traits) {
    switch (when) {
        case When::always: return true;
        case When::keyed: return traits.keyed;
        case When::resend: return traits.resend;
        case When::keyed_resend: return traits.keyed && traits.resend;
    }
    return false;
}

bool contains(const std::vector<int>& list, int value) { return std::ranges::find(list, value) != list.end(); }

}  // namespace

Meaning meaning_of_status(int status, RequestTraits traits) {
    for (const Row& row : kStatusTable) {
        if (status >= row.from && status <= row.to && fits(row.when, traits)) return row.meaning;
    }
    return kInDoubt;
}

Meaning meaning_of_failure(const HttpFailure& failure) {
    switch (failure.kind) {
        case HttpFailure::Kind::not_made:
        case HttpFailure::Kind::not_sent: return kNotApplied;
        case HttpFailure::Kind::cut: return failure.sent ? kInDoubt : kNotApplied;
        case HttpFailure::Kind::timed_out:
        case HttpFailure::Kind::broken: break;
    }
    return kInDoubt;
}

Meaning meaning_of_exit(std::optional<int> exit_status, const std::vector<int>& refused, const std::vector<int>& not_applied) {
    if (!exit_status) return kInDoubt;
    if (contains(refused, *exit_status)) return kRefused;
    if (contains(not_applied, *exit_status)) return kNotApplied;
    return *exit_status == 0 ? Meaning{Verdict::done} : kInDoubt;
}

namespace {

/// IMF-fixdate and the two obsolete forms that a recipient must accept (RFC 9110 5.6.7).
std::optional<std::int64_t> parse_http_date(const std::string& text) {
    for (const char* format : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
        tm parts{};
        const char* end = ::strptime(text.c_str(), format, &parts);
        if (end != nullptr && *end == '\0') return std::int64_t{::timegm(&parts)} * 1000;
    }
    return std::nullopt;
}

}  // namespace

std::optional<Millis> parse_retry_after(std::string_view value, const std::string* date, std::int64_t now_ms) {
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    const bool is_number = end == value.data() + value.size() && !value.empty();
    if (is_number && error == std::errc::result_out_of_range && value.front() != '-') return kLongestDuration;
    if (is_number && error == std::errc{} && seconds >= 0) {
        return std::chrono::seconds{std::min(seconds, std::int64_t{kLongestDuration / std::chrono::seconds{1}})};
    }
    const auto until = parse_http_date(std::string(value));
    if (!until) return std::nullopt;
    const auto said = date != nullptr ? parse_http_date(*date) : std::nullopt;
    return Millis{std::clamp<std::int64_t>(*until - said.value_or(now_ms), 0, kLongestDuration.count())};
}

std::string describe_status(int status) {
    struct Phrase {
        int status;
        const char* text;
    };
    static constexpr std::array kPhrases = {
        Phrase{200, "OK"},
        Phrase{201, "Created"},
        Phrase{202, "Accepted"},
        Phrase{204, "No Content"},
        Phrase{206, "Partial Content"},
        Phrase{301, "Moved Permanently"},
        Phrase{302, "Found"},
        Phrase{303, "See Other"},
        Phrase{304, "Not Modified"},
        Phrase{307, "Temporary Redirect"},
        Phrase{308, "Permanent Redirect"},
        Phrase{400, "Bad Request"},
        Phrase{401, "Unauthorized"},
        Phrase{402, "Payment Required"},
        Phrase{403, "Forbidden"},
        Phrase{404, "Not Found"},
        Phrase{405, "Method Not Allowed"},
        Phrase{406, "Not Acceptable"},
        Phrase{407, "Proxy Authentication Required"},
        Phrase{408, "Request Timeout"},
        Phrase{409, "Conflict"},
        Phrase{410, "Gone"},
        Phrase{411, "Length Required"},
        Phrase{412, "Precondition Failed"},
        Phrase{413, "Content Too Large"},
        Phrase{414, "URI Too Long"},
        Phrase{415, "Unsupported Media Type"},
        Phrase{422, "Unprocessable Content"},
        Phrase{423, "Locked"},
        Phrase{425, "Too Early"},
        Phrase{428, "Precondition Required"},
        Phrase{429, "Too Many Requests"},
        Phrase{431, "Request Header Fields Too Large"},
        Phrase{451, "Unavailable For Legal Reasons"},
        Phrase{500, "Internal Server Error"},
        Phrase{501, "Not Implemented"},
        Phrase{502, "Bad Gateway"},
        Phrase{503, "Service Unavailable"},
        Phrase{504, "Gateway Timeout"},
        Phrase{507, "Insufficient Storage"},
        Phrase{511, "Network Authentication Required"},
    };
    const auto* found = std::ranges::find(kPhrases, status, &Phrase::status);
    return std::to_string(status) + (found != kPhrases.end() ? std::string(" ") + found->text : "");
}

}  // namespace lockstep
