#pragma once
// Libraries that only some runs need. Linked, they would make every start slower; so they are loaded when they are first used.

#include <string>

namespace lockstep {

/// A shared library; it stays loaded until the process ends.
class SharedLibrary {
  public:
    /// @param name  its soname, looked for as dlopen(3) says
    explicit SharedLibrary(const char* name);

    bool is_there() const { return handle_ != nullptr; }

    /// Finds a function by its C name, whose type the caller knows: dlsym(3).
    /// @return false: the library has none of this name, or is not there itself; `function` is nullptr then
    template <class Function>
    bool look_up(const char* name, Function*& function) const {
        function = reinterpret_cast<Function*>(find(name));
        return function != nullptr;
    }

    /// Why the last of these calls of this thread failed: dlerror(3).
    static std::string last_error();

  private:
    void* find(const char* name) const;

    void* handle_;
};

/// libsystemd.so.0, which is on every machine that systemd runs on. Any thread may call it.
const SharedLibrary& libsystemd();

}  // namespace lockstep
