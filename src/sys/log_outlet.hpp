#pragma once
// Where lines and commands' output leave: a bounded queue (spdlog's) and a thread that may wait for a reader as long as it
// likes.

#include <spdlog/async.h>
#include <spdlog/async_logger.h>

#include <memory>
#include <string_view>

#include "base/duration.hpp"

namespace lockstep::log {

class OutletSink;

class Outlet {
  public:
    /// @param length  how many texts fit. spdlog makes room for all of them at once, 470 bytes each, the texts apart.
    /// Throws std::system_error if there is no thread to be had. Never to be destroyed: that would wait for a thread which may
    /// be stuck in a write to a full pipe.
    explicit Outlet(std::size_t length);

    /// Never waits: where there is no room, the oldest text goes.
    void post(int fd, std::string_view text);
    /// Waits for room as long as somebody reads, half a second at most: the output of a command that writes faster than its
    /// reader reads.
    void post_patiently(int fd, std::string_view text);
    /// All that was posted is written when this returns, or for `patience` nobody has read anything.
    void drain(Millis patience);
    /// Texts that were posted and not written, nor ever will be if drain() has given up.
    std::size_t lost() const;

  private:
    bool has_room() const;

    std::size_t length_;
    std::shared_ptr<OutletSink> sink_;
    std::shared_ptr<spdlog::details::thread_pool> pool_;
    std::shared_ptr<spdlog::async_logger> logger_;
};

}  // namespace lockstep::log
