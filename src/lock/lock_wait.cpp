#include "lock/lock_wait.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <mutex>

namespace lockstep {

namespace {

constexpr Millis kRetriesInAll{100};
constexpr Millis kBetweenRetries{4};
constexpr Millis kLongestSleep{std::chrono::hours{1}};
constexpr std::size_t kThreadStack = 256 * 1024;

/// Shared by the thread and its caller; whoever goes last frees it.
struct FlockWait {
    UniqueFd fd;
    UniqueFd done;  // eventfd
    OnGranted on_granted;
    std::mutex mutex;  // held by the thread whenever it is not asleep in flock(2)
    std::atomic<bool> abandoned = false;
    bool granted = false;
    int error = 0;

    void run() {
        for (bool finished = false; !finished;) {
            const int result = ::flock(fd.get(), LOCK_EX) == 0 ? 0 : errno;
            if (result == EINTR) continue;
            const std::lock_guard<std::mutex> guard(mutex);
            if (abandoned) return;
            error = result;
            finished = error != 0 || on_granted(fd);
            granted = finished;
        }
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(done.get(), &one, sizeof one);
    }
};

void* run_flock_wait(void* argument) {
    const std::unique_ptr<std::shared_ptr<FlockWait>> state(static_cast<std::shared_ptr<FlockWait>*>(argument));
    (*state)->run();
    return nullptr;
}

/// Starts the thread with all signals blocked: they are for the caller's threads.
int start_thread(const std::shared_ptr<FlockWait>& state) {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    ::pthread_attr_setstacksize(&attributes, kThreadStack);
    auto argument = std::make_unique<std::shared_ptr<FlockWait>>(state);
    pthread_t thread{};
    const int error = ::pthread_create(&thread, &attributes, run_flock_wait, argument.get());
    if (error == 0) (void)argument.release();  // the thread's now
    ::pthread_attr_destroy(&attributes);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return error;
}

}  // namespace

Patience::Patience(const LockWait& wait)
    : forever_(wait.forever),
      only_retries_(!wait.forever && wait.limit <= Millis{0}),
      wake_fd_(wait.wake_fd),
      deadline_(monotonic_now() + (only_retries_ ? kRetriesInAll : std::min(wait.limit, kLongestDuration))) {}

WaitEnd Patience::sleep(int fd, Millis at_most) const {
    const MonotonicTime pause_end = monotonic_now() + at_most;
    while (true) {
        // A negative descriptor is one that poll(2) passes over.
        std::array<pollfd, 2> watched{{{wake_fd_, POLLIN, 0}, {fd, POLLIN, 0}}};
        const int ready =
            ::poll(watched.data(), watched.size(), millis_until(forever_ ? pause_end : std::min(pause_end, deadline_)));
        if (watched[0].revents != 0) return WaitEnd::woken;
        if (watched[1].revents != 0) return WaitEnd::changed;
        if (!forever_ && monotonic_now() >= deadline_) return WaitEnd::timed_out;
        if (ready == 0 && monotonic_now() >= pause_end) return WaitEnd::changed;
    }
}

Result<WaitEnd> wait_in_flock(UniqueFd fd, const Patience& patience, OnGranted on_granted) {
    if (patience.only_retries()) return patience.sleep(-1, kBetweenRetries);
    const auto state = std::make_shared<FlockWait>();
    state->fd = std::move(fd);
    state->on_granted = std::move(on_granted);
    state->done.reset(::eventfd(0, EFD_CLOEXEC));
    if (!state->done) return os_error(Failure::os, "making an eventfd to wait for the lock");
    if (const int error = start_thread(state); error != 0) {
        return os_error(Failure::os, "starting a thread to wait for the lock", error);
    }
    WaitEnd end = WaitEnd::changed;
    do {
        end = patience.sleep(state->done.get(), kLongestSleep);
        state->abandoned = end != WaitEnd::changed;
        // The thread sleeps in flock(2) or is a few system calls away from letting go of the mutex.
        const std::lock_guard<std::mutex> guard(state->mutex);
        if (end == WaitEnd::timed_out && state->granted) end = WaitEnd::changed;
        if (state->error != 0) return os_error(Failure::lock, "waiting in flock(2)", state->error);
        if (end == WaitEnd::changed && state->granted) return end;
    } while (end == WaitEnd::changed);
    return end;
}

void ParentWatch::start(const LockPath& path) {
    if (started_) return;
    started_ = true;
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify_) return;
    const std::string parent = "/proc/self/fd/" + std::to_string(path.parent_fd());
    if (::inotify_add_watch(inotify_.get(), parent.c_str(), IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF) < 0) inotify_.reset();
}

WaitEnd ParentWatch::sleep(const Patience& patience) {
    if (patience.only_retries()) return patience.sleep(-1, kBetweenRetries);
    // No more inotify instances, or a parent that we may not read: look from time to time. The second's limit with inotify
    // is for removals that it does not see, such as one from below an overlay.
    const WaitEnd end = patience.sleep(inotify_.get(), Millis{inotify_ ? 1000 : 20});
    std::array<char, 4096> events{};
    while (inotify_ && ::read(inotify_.get(), events.data(), events.size()) > 0) {
    }
    return end;
}

}  // namespace lockstep
