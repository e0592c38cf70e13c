#include "sys/shared_library.hpp"

#include <dlfcn.h>

namespace lockstep {

SharedLibrary::SharedLibrary(const char* name) : handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {}

void* SharedLibrary::find(const char* name) const { return handle_ != nullptr ? ::dlsym(handle_, name) : nullptr; }

std::string SharedLibrary::last_error() {
    const char* text = ::dlerror();
    return text != nullptr ? text : "no reason given";
}

const SharedLibrary& libsystemd() {
    static const SharedLibrary library("libsystemd.so.0");
    return library;
}

}  // namespace lockstep
