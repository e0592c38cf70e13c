#include <catch2/catch.hpp>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "sys/idle_memory.hpp"
#include "sys/unique_fd.hpp"

using namespace lockstep;

namespace {

constexpr std::size_t kPage = 4096;

/// Bit 63 of its entry in /proc/self/pagemap, "page present": proc_pid_pagemap(5).
bool is_in_memory(const volatile void* place) {
    const UniqueFd map(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    std::uint64_t entry = 0;
    const auto number = reinterpret_cast<std::uintptr_t>(place) / kPage;
    REQUIRE(::pread(map.get(), &entry, sizeof entry, static_cast<off_t>(number * sizeof entry)) == sizeof entry);
    return (entry >> 63U) != 0;
}

/// The padding in the ELF header of a library, which nobody reads: a byte of its first page, as read-only as its code.
volatile unsigned char* library_byte() {
    constexpr int kPadding = 9;  // EI_PAD: elf(5)
    void* const library = ::dlopen("libm.so.6", RTLD_NOW);
    REQUIRE(library != nullptr);
    Dl_info info{};
    REQUIRE(::dladdr(::dlsym(library, "jn"), &info) != 0);
    return static_cast<volatile unsigned char*>(info.dli_fbase) + kPadding;
}

void set_rights(volatile unsigned char* byte, int rights) {
    const auto page = reinterpret_cast<std::uintptr_t>(byte) / kPage * kPage;
    REQUIRE(::mprotect(reinterpret_cast<void*>(page), kPage, rights) == 0);
}

}  // namespace

TEST_CASE("A page of a library is given back, and is read again when it is needed") {
    const auto* byte = library_byte();
    const unsigned char before = *byte;
    REQUIRE(is_in_memory(byte));
    give_back_memory();
    CHECK_FALSE(is_in_memory(byte));
    CHECK(*byte == before);
}

TEST_CASE("A page of a library that this process has changed, as breakpoints do, is kept") {
    auto* byte = library_byte();
    const unsigned char before = *byte;
    set_rights(byte, PROT_READ | PROT_WRITE);
    *byte = 0xCC;
    set_rights(byte, PROT_READ);
    give_back_memory();
    CHECK(*byte == 0xCC);
    set_rights(byte, PROT_READ | PROT_WRITE);
    *byte = before;
    set_rights(byte, PROT_READ);
}

TEST_CASE("What is no library's is kept: so is one that is still being loaded, whose data may follow in the same place") {
    const UniqueFd file(::memfd_create("page", MFD_CLOEXEC));
    REQUIRE(::ftruncate(file.get(), kPage) == 0);
    for (const int rights : {PROT_READ, PROT_READ | PROT_WRITE}) {
        void* const page = ::mmap(nullptr, kPage, rights, MAP_PRIVATE, file.get(), 0);
        REQUIRE(page != MAP_FAILED);
        REQUIRE(*static_cast<volatile char*>(page) == '\0');
        REQUIRE(is_in_memory(page));
        give_back_memory();
        CHECK(is_in_memory(page));
        ::munmap(page, kPage);
    }
}
