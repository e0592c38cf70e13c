#include "sys/curl_api.hpp"

#include <dlfcn.h>

#include <string>

namespace lockstep {

namespace {

constexpr const char* kLibrary = "libcurl.so.4";

template <class Function>
bool look_up(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    return function != nullptr;
}

std::string last_dl_error() {
    const char* text = ::dlerror();
    return text != nullptr ? text : "no reason given";
}

bool look_up_all(void* library, CurlApi& api) {
    return look_up(library, "curl_global_init", api.global_init) && look_up(library, "curl_easy_init", api.easy_init) &&
           look_up(library, "curl_easy_reset", api.easy_reset) && look_up(library, "curl_easy_cleanup", api.easy_cleanup) &&
           look_up(library, "curl_easy_setopt", api.easy_setopt) && look_up(library, "curl_easy_getinfo", api.easy_getinfo) &&
           look_up(library, "curl_easy_strerror", api.easy_strerror) && look_up(library, "curl_multi_init", api.multi_init) &&
           look_up(library, "curl_multi_cleanup", api.multi_cleanup) &&
           look_up(library, "curl_multi_add_handle", api.multi_add_handle) &&
           look_up(library, "curl_multi_remove_handle", api.multi_remove_handle) &&
           look_up(library, "curl_multi_perform", api.multi_perform) && look_up(library, "curl_multi_poll", api.multi_poll) &&
           look_up(library, "curl_multi_info_read", api.multi_info_read) &&
           look_up(library, "curl_multi_strerror", api.multi_strerror) &&
           look_up(library, "curl_slist_append", api.slist_append) &&
           look_up(library, "curl_slist_free_all", api.slist_free_all) && look_up(library, "curl_mime_init", api.mime_init) &&
           look_up(library, "curl_mime_free", api.mime_free) && look_up(library, "curl_mime_addpart", api.mime_addpart) &&
           look_up(library, "curl_mime_name", api.mime_name) && look_up(library, "curl_mime_data", api.mime_data) &&
           look_up(library, "curl_mime_filedata", api.mime_filedata) && look_up(library, "curl_mime_type", api.mime_type);
}

Result<CurlApi> load() {
    void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        return fail(Failure::os, "loading libcurl, which HTTP needs: " + last_dl_error() +
                                     ". Install it: apt-get install libcurl4 (Debian, Ubuntu), dnf install libcurl (Fedora)");
    }
    CurlApi api{};
    if (!look_up_all(library, api)) {
        return fail(Failure::os, "loading libcurl: " + last_dl_error() + ". It is too old: 7.66 or newer is needed");
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
