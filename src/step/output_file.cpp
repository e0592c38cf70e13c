#include "step/output_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace lockstep {

namespace {

UniqueFd memory_file(const char* name) {
    // Linux 6.3 may be told to refuse files in memory that could be executed; older kernels do not know the flag.
    UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL));
    if (!fd && errno == EINVAL) fd.reset(::memfd_create(name, MFD_CLOEXEC));
    return fd;
}

}  // namespace

Result<OutputFile> OutputFile::create() {
    UniqueFd fd = memory_file("lockstep-output");
    if (!fd) return os_error(Failure::os, "making a file in memory for a command's output");
    if (::fcntl(fd.get(), F_SETFL, O_APPEND) != 0) return os_error(Failure::os, "setting a command's output to append");
    return OutputFile(std::move(fd));
}

off_t OutputFile::size() const {
    struct stat about{};
    return ::fstat(fd_.get(), &about) == 0 ? about.st_size : 0;
}

std::string_view OutputFile::next_piece() {
    // `echo … >/dev/stderr` opens the file anew and truncates it: what follows then starts at the beginning again.
    if (size() < offset_) offset_ = given_back_ = 0;
    const ssize_t length = ::pread(fd_.get(), buffer_.data(), buffer_.size(), offset_);
    if (length <= 0) return {};
    offset_ += length;
    read_since_look_ += length;
    return std::string_view(buffer_).substr(0, static_cast<std::size_t>(length));
}

void OutputFile::give_back_memory() {
    if (offset_ - given_back_ < kMostPerLook) return;
    // A hole, not a truncation: the command's file keeps its size, and whoever asks where he stands hears the truth.
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, given_back_, offset_ - given_back_);
    given_back_ = offset_;
}

Result<UniqueFd> memory_file_with(std::string_view text) {
    UniqueFd fd = memory_file("lockstep-stdin");
    if (!fd) return os_error(Failure::os, "making a file in memory for a command's stdin");
    off_t written = 0;
    while (!text.empty()) {
        const ssize_t length = ::pwrite(fd.get(), text.data(), text.size(), written);
        if (length < 0) return os_error(Failure::os, "writing a command's stdin");
        written += length;
        text.remove_prefix(static_cast<std::size_t>(length));
    }
    return fd;
}

}  // namespace lockstep
