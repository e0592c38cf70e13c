#include "lock/own_identity.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <ctime>
#include <string_view>

#include "sys/unique_fd.hpp"

namespace lockstep {

namespace {

std::uint64_t ticks_since_boot() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto hz = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return static_cast<std::uint64_t>(now.tv_sec) * hz + static_cast<std::uint64_t>(now.tv_nsec) * hz / 1'000'000'000U;
}

/// The line without its end.
void read_boot_id(TextBuffer<64>& out) {
    std::array<char, 64> buffer{};
    const UniqueFd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    const ssize_t length = file ? ::read(file.get(), buffer.data(), buffer.size()) : -1;
    const std::string_view text(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    out.append(text.substr(0, text.find('\n')));
}

/// readlink(2) gives "pid:[4026531836]" at a fifth of the price of stat(2), which makes an inode of it.
std::uint64_t pid_namespace() {
    std::array<char, 64> buffer{};
    const ssize_t length = ::readlink("/proc/self/ns/pid", buffer.data(), buffer.size());
    const std::string_view text(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    const std::size_t open = text.find('[');
    std::uint64_t inode = 0;
    if (open != std::string_view::npos) std::from_chars(text.data() + open + 1, text.data() + text.size(), inode);
    return inode;
}

}  // namespace

PidScope own_pid_scope() {
    PidScope scope;
    read_boot_id(scope.boot_id);
    scope.pid_namespace = pid_namespace();
    return scope;
}

OwnIdentity own_identity(const PidScope* known) {
    OwnIdentity self;
    self.ticks_since_boot = ticks_since_boot();
    self.scope = known != nullptr ? *known : own_pid_scope();
    utsname names{};
    if (::uname(&names) == 0) self.host.append(names.nodename);
    self.uid = ::geteuid();
    return self;
}

}  // namespace lockstep
