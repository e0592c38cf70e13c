#pragma once
// What the log's front door hands its lines to. Apart from it, so that a program that never starts the log's thread
// (`lockstep exec`) does not carry spdlog along.

#include <string_view>

#include "sys/log.hpp"

namespace lockstep::log {

class Backend {
  public:
    virtual ~Backend() = default;
    virtual Level level() const = 0;
    virtual void line(Level level, std::string_view text, Facts facts) = 0;
    virtual void plain(std::string_view text) = 0;
    virtual void bytes(int fd, std::string_view text) = 0;
    virtual void finish(Millis patience) = 0;
};

void set_backend(Backend* backend);

}  // namespace lockstep::log
