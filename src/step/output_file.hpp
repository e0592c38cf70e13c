#pragma once
// Where a command's output goes, and how it is read while it comes.

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "sys/unique_fd.hpp"

namespace lockstep {

/// A file in memory, without a name, opened O_APPEND, that one command writes and we tail.
///
/// Not a pipe: if the guardian is killed, a pipe's next writer dies of SIGPIPE, or waits for ever once 64 KiB are full; either
/// would cut the command between two phases. This file lives as long as somebody has it open, so the command's writes go on
/// succeeding, and it is gone when the command ends. A deleted file on disk would do the same, but needs a writable place, and
/// a full disk would fail the command's writes. What has been read is given back at once, so its size in memory is what was not
/// read yet.
class OutputFile {
  public:
    static Result<OutputFile> create();

    int fd() const { return fd_.get(); }

    /// Reads on until everything that was there when it was called is read, at most about a megabyte at a time.
    /// @param take  called with each piece
    /// @return whether anything was read
    template <class Take>
    bool read_on(Take take) {
        bool any = false;
        for (std::string_view piece = next_piece(); !piece.empty(); piece = next_piece()) {
            take(piece);
            any = true;
            if (read_since_look_ >= kMostPerLook) break;
        }
        read_since_look_ = 0;
        give_back_memory();
        return any;
    }

    /// Everything that is there now; a process left behind that goes on writing does not hold this up.
    template <class Take>
    void read_to_present_end(Take take) {
        const off_t end = size();
        while (offset_ < end && read_on(take)) {
        }
    }

  private:
    static constexpr off_t kMostPerLook = off_t{1} << 20;

    explicit OutputFile(UniqueFd fd) : fd_(std::move(fd)), buffer_(64 * 1024, '\0') {}

    off_t size() const;
    std::string_view next_piece();
    void give_back_memory();

    UniqueFd fd_;
    std::string buffer_;
    off_t offset_ = 0;
    off_t given_back_ = 0;
    off_t read_since_look_ = 0;
};

/// A file in memory, positioned at its start, that holds `text`: a command's stdin, which no reader can block on.
Result<UniqueFd> memory_file_with(std::string_view text);

}  // namespace lockstep
