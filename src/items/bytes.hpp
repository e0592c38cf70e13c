#pragma once
// Bytes of a file, a pipe or a text, buffered, with lines counted.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "sys/interrupt.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// One line or row may be this long; a longer one is a bad item, read past without keeping it.
inline constexpr std::size_t kLongestItem = std::size_t{16} << 20;

class ByteReader {
  public:
    /// A file by its absolute path, or "-" for stdin. Error: Failure::items. `stop` ends waiting for whatever is no regular
    /// file.
    /// A regular file that is written over (not appended to) is read to its old end if that was seen already; else reading it
    /// fails (Failure::items), for what stands there now begins in the middle of something.
    static Result<ByteReader> open(const std::string& path, const Interrupt& stop);
    static ByteReader of_text(std::string text);

    /// The next byte without taking it, or kEnd.
    static constexpr int kEnd = -1;
    Result<int> peek();
    void take() {
        if (buffer_[at_++] == '\n') ++line_;
    }

    enum class Got { line, too_long, end };
    /// The next line without its LF or CRLF.
    Result<Got> line(std::string& out);

    /// Line of the next byte, from 1.
    std::size_t line_number() const { return line_; }
    /// Takes a UTF-8 byte order mark if the next bytes are one.
    Result<void> skip_byte_order_mark();

  private:
    ByteReader(std::string name, UniqueFd owned, int fd, const Interrupt* stop)
        : name_(std::move(name)), owned_(std::move(owned)), fd_(fd), stop_(stop) {}
    /// Makes bytes available. @return false at the end
    Result<bool> fill();
    Result<void> wait_readable() const;
    /// Does the file still hold `text` before the place that was read up to?
    bool still_holds(std::string_view text) const;
    bool is_at_its_end() const;

    std::string name_;
    UniqueFd owned_;
    int fd_ = -1;  // -1: there is nothing behind the buffer
    const Interrupt* stop_ = nullptr;
    bool waits_ = false;       // a pipe, a terminal: reading may block
    std::int64_t offset_ = 0;  // up to where it is read; in a regular file, from its beginning
    bool had_all_ = false;     // that was its end at that moment
    bool written_over_ = false;
    std::string buffer_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
};

}  // namespace lockstep
