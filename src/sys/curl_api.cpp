#include "sys/curl_api.hpp"

#include <string>

#include "sys/shared_library.hpp"

namespace lockstep {

namespace {

bool look_up_all(const SharedLibrary& library, CurlApi& api) {
    return library.look_up("curl_global_init", api.global_init) && library.look_up("curl_easy_init", api.easy_init) &&
           library.look_up("curl_easy_reset", api.easy_reset) && library.look_up("curl_easy_cleanup", api.easy_cleanup) &&
           library.look_up("curl_easy_setopt", api.easy_setopt) && library.look_up("curl_easy_getinfo", api.easy_getinfo) &&
           library.look_up("curl_easy_strerror", api.easy_strerror) && library.look_up("curl_multi_init", api.multi_init) &&
           library.look_up("curl_multi_cleanup", api.multi_cleanup) &&
           library.look_up("curl_multi_add_handle", api.multi_add_handle) &&
           library.look_up("curl_multi_remove_handle", api.multi_remove_handle) &&
           library.look_up("curl_multi_perform", api.multi_perform) && library.look_up("curl_multi_poll", api.multi_poll) &&
           library.look_up("curl_multi_info_read", api.multi_info_read) &&
           library.look_up("curl_multi_strerror", api.multi_strerror) &&
           library.look_up("curl_slist_append", api.slist_append) &&
           library.look_up("curl_slist_free_all", api.slist_free_all) && library.look_up("curl_mime_init", api.mime_init) &&
           library.look_up("curl_mime_free", api.mime_free) && library.look_up("curl_mime_addpart", api.mime_addpart) &&
           library.look_up("curl_mime_name", api.mime_name) && library.look_up("curl_mime_data", api.mime_data) &&
           library.look_up("curl_mime_filedata", api.mime_filedata) && library.look_up("curl_mime_type", api.mime_type);
}

Result<CurlApi> load() {
    const SharedLibrary library("libcurl.so.4");
    if (!library.is_there()) {
        return fail(Failure::os, "loading libcurl, which HTTP needs: " + SharedLibrary::last_error() +
                                     ". Install it: apt-get install libcurl4 (Debian, Ubuntu), dnf install libcurl (Fedora)");
    }
    CurlApi api{};
    if (!look_up_all(library, api)) {
        return fail(Failure::os,
                    "loading libcurl: " + SharedLibrary::last_error() + ". It is too old: 7.66 or newer is needed");
    }
    if (const CURLcode code = api.global_init(CURL_GLOBAL_DEFAULT); code != CURLE_OK) {
        return fail(Failure::os, std::string("initialising libcurl: ") + api.easy_strerror(code));
    }
    return api;
}

}  // namespace

Result<const CurlApi*> curl_api() {
    static const Result<CurlApi> api = load();
    if (!api) return std::unexpected(api.error());
    return &*api;
}

}  // namespace lockstep
