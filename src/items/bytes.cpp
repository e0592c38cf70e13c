#include "items/bytes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace lockstep {
namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kTail = 4096;  // of a chunk: by that much a file is known again

}  // namespace

Result<ByteReader> ByteReader::open(const std::string& path, const Interrupt& stop) {
    const bool is_stdin = path == "-";
    const std::string name = is_stdin ? "stdin" : path;
    // O_NONBLOCK: opening a fifo must not wait beyond a stop. It is not set on stdin, which others may share.
    UniqueFd owned(is_stdin ? -1 : ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!is_stdin && !owned) return os_error(Failure::items, "opening the items file " + path);
    const int fd = is_stdin ? STDIN_FILENO : owned.get();
    struct stat info{};
    if (::fstat(fd, &info) != 0) return os_error(Failure::items, "reading the items from " + name);
    if (S_ISDIR(info.st_mode)) return os_error(Failure::items, "reading the items from " + name, EISDIR);
    ByteReader reader(name, std::move(owned), fd, &stop);
    reader.waits_ = !S_ISREG(info.st_mode);
    if (!reader.waits_) reader.offset_ = std::max<off_t>(::lseek(fd, 0, SEEK_CUR), 0);
    return reader;
}

ByteReader ByteReader::of_text(std::string text) {
    ByteReader reader("", UniqueFd(), -1, nullptr);
    reader.buffer_ = std::move(text);
    return reader;
}

Result<void> ByteReader::wait_readable() const {
    std::array<pollfd, 2> fds{{{fd_, POLLIN, 0}, {stop_->fd(), POLLIN, 0}}};
    for (;;) {
        if (::poll(fds.data(), fds.size(), -1) < 0) {
            if (errno == EINTR) continue;
            return os_error(Failure::items, "waiting for items from " + name_);
        }
        if (fds[1].revents != 0) return fail(Failure::stopped, "stopped while reading the items from " + name_);
        if (fds[0].revents != 0) return {};
    }
}

bool ByteReader::still_holds(std::string_view text) const {
    std::array<char, kTail> now{};
    const ssize_t got = ::pread(fd_, now.data(), text.size(), offset_ - static_cast<off_t>(text.size()));
    return got >= 0 && std::string_view(now.data(), static_cast<std::size_t>(got)) == text;
}

bool ByteReader::is_at_its_end() const {
    struct stat info{};
    return ::fstat(fd_, &info) == 0 && info.st_size == offset_;
}

Result<bool> ByteReader::fill() {
    if (fd_ < 0) return false;
    const std::string tail = waits_ ? "" : buffer_.substr(buffer_.size() - std::min(buffer_.size(), kTail));
    if (buffer_.size() != kChunk) buffer_.resize(kChunk);
    for (;;) {
        if (waits_) {
            if (auto readable = wait_readable(); !readable) return std::unexpected(std::move(readable.error()));
        }
        const ssize_t got = ::read(fd_, buffer_.data(), kChunk);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return os_error(Failure::items, "reading the items from " + name_);
        buffer_.resize(static_cast<std::size_t>(got));
        at_ = 0;
        // After the read: what was written over before it is seen here.
        written_over_ = written_over_ || (!waits_ && !still_holds(tail));
        if (written_over_) {
            buffer_.clear();
            if (had_all_) return false;
            return fail(Failure::items,
                        name_ + " was written over while it was read, at byte " + std::to_string(offset_) +
                            ": nothing is taken from the middle of it. Put a new file in place by renaming it (mv)");
        }
        offset_ += got;
        had_all_ = !waits_ && is_at_its_end();
        if (got == 0) fd_ = -1;
        return got > 0;
    }
}

Result<int> ByteReader::peek() {
    if (at_ == buffer_.size()) {
        const auto more = fill();
        if (!more) return std::unexpected(more.error());
        if (!*more) return kEnd;
    }
    return static_cast<unsigned char>(buffer_[at_]);
}

Result<ByteReader::Got> ByteReader::line(std::string& out) {
    out.clear();
    bool any = false;
    bool too_long = false;
    for (;;) {
        const auto first = peek();
        if (!first) return std::unexpected(first.error());
        if (*first == kEnd) break;
        any = true;
        const char* begin = buffer_.data() + at_;
        // Not a C string: what is searched has a length.
        const void* found = std::memchr(begin, '\n', buffer_.size() - at_);  // NOLINT(bugprone-not-null-terminated-result)
        const auto* newline = static_cast<const char*>(found);
        const std::size_t length = newline != nullptr ? static_cast<std::size_t>(newline - begin) : buffer_.size() - at_;
        too_long = too_long || out.size() + length > kLongestItem;
        if (too_long) {
            out.clear();
        } else {
            out.append(begin, length);
        }
        at_ += length;
        if (newline != nullptr) {
            take();
            break;
        }
    }
    if (!any) return Got::end;
    if (too_long) return Got::too_long;
    if (!out.empty() && out.back() == '\r') out.pop_back();
    return Got::line;
}

Result<void> ByteReader::skip_byte_order_mark() {
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    const auto first = peek();
    if (!first) return std::unexpected(first.error());
    // A pipe may deliver it in pieces, which nobody does; then the first record says what is wrong.
    if (std::string_view(buffer_).substr(at_).starts_with(kMark)) at_ += kMark.size();
    return {};
}

}  // namespace lockstep
