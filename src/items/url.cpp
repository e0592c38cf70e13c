#include "items/url.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace lockstep {
namespace {

struct UrlParts {
    std::string_view scheme;     // without ':'
    std::string_view authority;  // without "//"
    std::string_view path;
    std::string_view query;  // with '?'
    bool has_authority = false;
};

/// The regular expression of RFC 3986 appendix B, by hand.
UrlParts split(std::string_view url) {
    UrlParts parts;
    url = url.substr(0, url.find('#'));
    const std::size_t delimiter = url.find_first_of(":/?");
    if (delimiter != std::string_view::npos && delimiter > 0 && url[delimiter] == ':') {
        parts.scheme = url.substr(0, delimiter);
        url.remove_prefix(delimiter + 1);
    }
    if (url.starts_with("//")) {
        const std::size_t end = std::min(url.find_first_of("/?", 2), url.size());
        parts.authority = url.substr(2, end - 2);
        parts.has_authority = true;
        url.remove_prefix(end);
    }
    const std::size_t question = std::min(url.find('?'), url.size());
    parts.path = url.substr(0, question);
    parts.query = url.substr(question);
    return parts;
}

/// RFC 3986 section 5.2.4.
std::string without_dot_segments(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/', 1), path.size());
        const std::string_view segment = path.substr(0, end);
        const bool last = end == path.size();
        if (segment == "/..") {
            out.erase(std::min(out.rfind('/'), out.size()));
            if (last) out.push_back('/');
        } else if (segment == "/.") {
            if (last) out.push_back('/');
        } else {
            out.append(segment);
        }
        path.remove_prefix(end);
    }
    return out;
}

std::string_view host_and_port(std::string_view authority) { return authority.substr(authority.rfind('@') + 1); }

}  // namespace

std::string resolve_url(std::string_view base, std::string_view reference) {
    const UrlParts from = split(base);
    UrlParts to = split(reference);
    const auto whole = [](std::string_view scheme, std::string_view authority, const std::string& path,
                          std::string_view query) {
        return std::string(scheme).append("://").append(authority).append(path).append(query);
    };
    if (!to.scheme.empty()) {
        return to.has_authority ? whole(to.scheme, to.authority, without_dot_segments(to.path), to.query)
                                : std::string(reference);
    }
    if (to.has_authority) return whole(from.scheme, to.authority, without_dot_segments(to.path), to.query);
    if (to.path.empty())
        return whole(from.scheme, from.authority, std::string(from.path), to.query.empty() ? from.query : to.query);
    if (to.path.starts_with('/')) return whole(from.scheme, from.authority, without_dot_segments(to.path), to.query);
    std::string merged(from.path.substr(0, from.path.rfind('/') + 1));
    if (merged.empty()) merged = "/";
    return whole(from.scheme, from.authority, without_dot_segments(merged.append(to.path)), to.query);
}

std::string url_origin(std::string_view url) {
    const UrlParts parts = split(url);
    std::string origin = lower_case(std::string(parts.scheme).append("://").append(host_and_port(parts.authority)));
    const std::string_view default_port = origin.starts_with("https:") ? ":443" : ":80";
    if (origin.ends_with(default_port)) origin.resize(origin.size() - default_port.size());
    return origin;
}

std::string url_for_people(std::string_view url) {
    const UrlParts parts = split(url);
    return std::string(parts.scheme)
        .append("://")
        .append(host_and_port(parts.authority))
        .append(parts.path)
        .append(parts.query);
}

}  // namespace lockstep
