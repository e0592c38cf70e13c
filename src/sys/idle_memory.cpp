#include "sys/idle_memory.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>

namespace lockstep {

namespace {

struct Mapping {
    std::uintptr_t begin;
    std::uintptr_t end;
    bool of_file;  // private, and not writable
};

/// The line of /proc/self/smaps that begins a mapping: proc_pid_maps(5). The lines about it, each "Name: value kB", follow.
std::optional<Mapping> read_mapping(const char* line) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char rights[5] = "";
    unsigned long inode = 0;
    constexpr int kAll = 4;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*s %lu", &begin, &end, rights, &inode) != kAll) return {};
    return Mapping{begin, end, rights[1] == '-' && rights[3] == 'p' && inode != 0};
}

void drop_untouched_files() {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> smaps(std::fopen("/proc/self/smaps", "re"), std::fclose);
    if (!smaps) return;
    char line[512];
    Mapping now{};
    while (std::fgets(line, sizeof line, smaps.get()) != nullptr) {
        if (const auto begun = read_mapping(line)) now = *begun;
        std::uint64_t own_kib = 0;
        if (std::sscanf(line, "Anonymous: %" SCNu64 " kB", &own_kib) != 1 || own_kib != 0 || !now.of_file) continue;
        auto* begin = reinterpret_cast<void*>(now.begin);  // NOLINT(performance-no-int-to-ptr): it comes as a number
        ::madvise(begin, now.end - now.begin, MADV_DONTNEED);
    }
}

}  // namespace

void give_back_memory() noexcept {
    ::malloc_trim(0);
    drop_untouched_files();
}

}  // namespace lockstep
