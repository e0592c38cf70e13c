#pragma once
// libcurl's functions as a table that is filled in when they are first needed: linking the library would make every start
// of lockstep nine times as slow, whether it speaks HTTP or not.

#include <curl/curl.h>

#include "base/error.hpp"

namespace lockstep {

struct CurlApi {
    decltype(&::curl_global_init) global_init;
    decltype(&::curl_easy_init) easy_init;
    decltype(&::curl_easy_reset) easy_reset;
    decltype(&::curl_easy_cleanup) easy_cleanup;
    decltype(&::curl_easy_setopt) easy_setopt;
    decltype(&::curl_easy_getinfo) easy_getinfo;
    decltype(&::curl_easy_strerror) easy_strerror;
    decltype(&::curl_multi_init) multi_init;
    decltype(&::curl_multi_cleanup) multi_cleanup;
    decltype(&::curl_multi_add_handle) multi_add_handle;
    decltype(&::curl_multi_remove_handle) multi_remove_handle;
    decltype(&::curl_multi_perform) multi_perform;
    decltype(&::curl_multi_poll) multi_poll;
    decltype(&::curl_multi_info_read) multi_info_read;
    decltype(&::curl_multi_strerror) multi_strerror;
    decltype(&::curl_slist_append) slist_append;
    decltype(&::curl_slist_free_all) slist_free_all;
    decltype(&::curl_mime_init) mime_init;
    decltype(&::curl_mime_free) mime_free;
    decltype(&::curl_mime_addpart) mime_addpart;
    decltype(&::curl_mime_name) mime_name;
    decltype(&::curl_mime_data) mime_data;
    decltype(&::curl_mime_filedata) mime_filedata;
    decltype(&::curl_mime_type) mime_type;
};

/// Loads libcurl and initialises it, once a process; any thread may call it. It stays loaded.
/// Error: Failure::os naming the package to install.
Result<const CurlApi*> curl_api();

}  // namespace lockstep
