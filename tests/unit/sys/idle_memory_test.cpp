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

/// A function of a library that nobody here calls.
volatile unsigned char* library_code() {
    void* const library = ::dlopen("libm.so.6", RTLD_NOW);
    REQUIRE(library != nullptr);
    void* const code = ::dlsym(library, "jn");
    REQUIRE(code != nullptr);
    return static_cast<volatile unsigned char*>(code);
}

void set_rights(volatile unsigned char* code, int rights) {
    const auto page = reinterpret_cast<std::uintptr_t>(code) / kPage * kPage;
    REQUIRE(::mprotect(reinterpret_cast<void*>(page), kPage, rights) == 0);
}

}  // namespace

TEST_CASE("A page of a library is given back, and is read again when it is needed") {
    const auto* code = library_code();
    const unsigned char before = *code;
    REQUIRE(is_in_memory(code));
    give_back_memory();
    CHECK_FALSE(is_in_memory(code));
    CHECK(*code == before);
}

TEST_CASE("A page of a library that this process has changed, as breakpoints do, is kept") {
    auto* code = library_code();
    const unsigned char before = *code;
    set_rights(code, PROT_READ | PROT_WRITE);
    *code = 0xCC;
    set_rights(code, PROT_READ | PROT_EXEC);
    give_back_memory();
    CHECK(*code == 0xCC);
    set_rights(code, PROT_READ | PROT_WRITE);
    *code = before;
    set_rights(code, PROT_READ | PROT_EXEC);
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
