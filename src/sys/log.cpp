#include "sys/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>

#include "sys/log_backend.hpp"

namespace lockstep::log {

namespace {

std::atomic<Backend*> backend = nullptr;

}  // namespace

void set_backend(Backend* now) { backend.store(now, std::memory_order_release); }

void finish(Millis patience) {
    if (Backend* now = backend.load(std::memory_order_acquire)) now->finish(patience);
}

void write(Level level, std::string_view line, Facts facts) {
    if (Backend* now = backend.load(std::memory_order_acquire)) return now->line(level, line, facts);
    if (level >= Level::warning) write_now(STDERR_FILENO, "lockstep: " + std::string(line) + "\n");
}

bool shows(Level level) {
    const Backend* now = backend.load(std::memory_order_acquire);
    return level >= (now != nullptr ? now->level() : Level::warning);
}

void plain(std::string_view line) {
    const std::string text = std::string(line) + "\n";
    if (Backend* now = backend.load(std::memory_order_acquire)) return now->plain(text);
    write_now(STDERR_FILENO, text);
}

void pass_through(int fd, std::string_view bytes) {
    if (Backend* now = backend.load(std::memory_order_acquire)) return now->bytes(fd, bytes);
    write_now(fd, bytes);
}

void write_now(int fd, std::string_view text) noexcept {
    while (!text.empty()) {
        // A pipe or terminal that polls writable takes at least PIPE_BUF bytes without waiting.
        const std::string_view piece = text.substr(0, 4096);
        pollfd ready{fd, POLLOUT, 0};
        if (::poll(&ready, 1, 0) <= 0 || (ready.revents & POLLOUT) == 0) return;
        const ssize_t written = ::write(fd, piece.data(), piece.size());
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace lockstep::log
