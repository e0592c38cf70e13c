#include "sys/idle_memory.hpp"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

namespace lockstep {

namespace {

struct Range {
    std::uintptr_t begin;
    std::uintptr_t end;

    bool contains(const Range& other) const { return begin <= other.begin && other.end <= end; }
};

/// The part of a loaded program or library that is never written to. One that another thread is loading is not told of before
/// all of it is mapped: until then the mapping of its first part reaches over the data of its last.
int add_constant_parts(dl_phdr_info* object, std::size_t, void* parts) {
    constexpr std::uintptr_t kPage = 4096;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& part = object->dlpi_phdr[i];
        if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
        const std::uintptr_t begin = object->dlpi_addr + part.p_vaddr;
        const std::uintptr_t end = begin + part.p_memsz;
        static_cast<std::vector<Range>*>(parts)->push_back({begin / kPage * kPage, (end + kPage - 1) / kPage * kPage});
    }
    return 0;
}

struct Mapping {
    Range range;
    bool of_file;  // private, and not writable
};

/// The line of /proc/self/smaps that begins a mapping: proc_pid_maps(5). The lines about it, each "Name: value kB", follow.
std::optional<Mapping> read_mapping(const char* line) {
    Range range{};
    char rights[5] = "";
    unsigned long inode = 0;
    constexpr int kAll = 4;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*s %lu", &range.begin, &range.end, rights, &inode) != kAll)
        return {};
    return Mapping{range, rights[1] == '-' && rights[3] == 'p' && inode != 0};
}

void drop_untouched_files() {
    std::vector<Range> parts;
    ::dl_iterate_phdr(add_constant_parts, &parts);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> smaps(std::fopen("/proc/self/smaps", "re"), std::fclose);
    if (!smaps) return;
    char line[512];
    Mapping now{};
    while (std::fgets(line, sizeof line, smaps.get()) != nullptr) {
        if (const auto begun = read_mapping(line)) now = *begun;
        std::uint64_t own_kib = 0;
        if (std::sscanf(line, "Anonymous: %" SCNu64 " kB", &own_kib) != 1 || own_kib != 0 || !now.of_file) continue;
        if (std::ranges::none_of(parts, [&](const Range& part) { return part.contains(now.range); })) continue;
        auto* begin = reinterpret_cast<void*>(now.range.begin);  // NOLINT(performance-no-int-to-ptr): it comes as a number
        ::madvise(begin, now.range.end - now.range.begin, MADV_DONTNEED);
    }
}

}  // namespace

void give_back_memory() noexcept {
    ::malloc_trim(0);
    drop_untouched_files();
}

}  // namespace lockstep
