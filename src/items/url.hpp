#pragma once
// The URL of the next page, which may be relative to that of the present one.

#include <string>
#include <string_view>

namespace lockstep {

/// RFC 3986 section 5.2: `reference` as seen from `base`, which is absolute. The fragment is dropped.
std::string resolve_url(std::string_view base, std::string_view reference);

/// "https://host:8443": scheme and authority, the letters of both lower-case, without user information.
std::string url_origin(std::string_view url);

/// The same URL without user information, for people.
std::string url_for_people(std::string_view url);

}  // namespace lockstep
