#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

#include "sys/idle_memory.hpp"
#include "sys/unique_fd.hpp"

using namespace lockstep;

namespace {

constexpr std::size_t kPage = 4096;

/// A page of a file, mapped as a program's are: private.
class MappedPage {
  public:
    explicit MappedPage(std::string_view text) : file_(::memfd_create("page", MFD_CLOEXEC)) {
        REQUIRE(::ftruncate(file_.get(), kPage) == 0);
        REQUIRE(::pwrite(file_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
        page_ = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_.get(), 0);
        REQUIRE(page_ != MAP_FAILED);
    }
    MappedPage(const MappedPage&) = delete;
    MappedPage& operator=(const MappedPage&) = delete;
    ~MappedPage() { ::munmap(page_, kPage); }

    void write(std::string_view text) { std::memcpy(page_, text.data(), text.size()); }
    void seal() { REQUIRE(::mprotect(page_, kPage, PROT_READ) == 0); }
    std::string text() const { return static_cast<const char*>(page_); }

    /// Bit 63 of its entry in /proc/self/pagemap, "page present": proc_pid_pagemap(5).
    bool is_in_memory() const {
        const UniqueFd map(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
        std::uint64_t entry = 0;
        const auto number = reinterpret_cast<std::uintptr_t>(page_) / kPage;
        REQUIRE(::pread(map.get(), &entry, sizeof entry, static_cast<off_t>(number * sizeof entry)) == sizeof entry);
        return (entry >> 63U) != 0;
    }

  private:
    UniqueFd file_;
    void* page_;
};

}  // namespace

TEST_CASE("A page of a file is given back, and is read again when it is needed") {
    MappedPage page("as on the disk");
    page.seal();
    REQUIRE(page.text() == "as on the disk");
    REQUIRE(page.is_in_memory());
    give_back_memory();
    CHECK_FALSE(page.is_in_memory());
    CHECK(page.text() == "as on the disk");
}

TEST_CASE("A page of a file that this process has changed, as relocations and breakpoints do, is kept") {
    MappedPage page("as on the disk");
    page.write("our own bytes.");
    page.seal();
    give_back_memory();
    CHECK(page.text() == "our own bytes.");
}

TEST_CASE("A page that may be written to is kept") {
    MappedPage page("as on the disk");
    REQUIRE(page.text() == "as on the disk");
    give_back_memory();
    CHECK(page.is_in_memory());
}
