#include "lock/lock_wait.hpp"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
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
constexpr Millis kWithoutInotify{20};
constexpr Millis kLongestSleep{std::chrono::hours{1}};
constexpr std::size_t kThreadStack = 256 * 1024;

/// Its default action is to be ignored: one that comes at any other time does nothing, here or in a command.
constexpr int kInterrupt = SIGURG;

void only_interrupts(int) {}

}  // namespace

/// Ends another thread's flock(2) when patience does. Shared by both threads; whoever goes last frees it.
class FlockWait::Watch {
  public:
    explicit Watch(const Patience& patience)
        : patience_(patience), sleeper_(::pthread_self()), over_(::eventfd(0, EFD_CLOEXEC)) {}

    bool usable() const { return static_cast<bool>(over_); }

    /// Starts the thread that watches, with all signals blocked: they are for the caller's threads.
    /// @return 0, or the errno of pthread_create(3)
    static int start(const std::shared_ptr<Watch>& watch) {
        sigset_t all;
        sigset_t before;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_attr_t attributes;
        ::pthread_attr_init(&attributes);
        ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        ::pthread_attr_setstacksize(&attributes, kThreadStack);
        auto argument = std::make_unique<std::shared_ptr<Watch>>(watch);
        const int error = ::pthread_create(&watch->thread_, &attributes, main, argument.get());
        if (error == 0) (void)argument.release();  // the thread's now
        ::pthread_attr_destroy(&attributes);
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        return error;
    }

    /// The sleeping thread, whose flock(2) was interrupted, or has ended: not `changed` if it is to leave.
    WaitEnd end() const { return end_; }

    /// The sleeping thread: no signal comes after this.
    void finish() {
        // A thread of this policy takes no processor away when it wakes up (sched(7)): its end can wait, the new holder cannot.
        constexpr sched_param kNone{};
        ::pthread_setschedparam(thread_, SCHED_BATCH, &kNone);
        {
            const std::lock_guard<std::mutex> guard(mutex_);
            is_over_ = true;  // and the thread may be gone
        }
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(over_.get(), &one, sizeof one);
    }

  private:
    static void* main(void* argument) {
        ::pthread_setname_np(::pthread_self(), "lock-watch");
        const std::unique_ptr<std::shared_ptr<Watch>> watch(static_cast<std::shared_ptr<Watch>*>(argument));
        (*watch)->run();
        return nullptr;
    }

    void run() {
        WaitEnd end = WaitEnd::changed;
        while (end == WaitEnd::changed) {
            end = patience_.sleep(over_.get(), kLongestSleep);
            if (is_over_) return;
        }
        end_ = end;
        // A signal that comes just before the call does not end it: so it is sent until it has been heard.
        pollfd over{over_.get(), POLLIN, 0};
        do {
            const std::lock_guard<std::mutex> guard(mutex_);
            if (is_over_) return;
            ::pthread_kill(sleeper_, kInterrupt);
        } while (::poll(&over, 1, 1) == 0);
    }

    const Patience patience_;
    const pthread_t sleeper_;
    pthread_t thread_{};
    const UniqueFd over_;
    std::mutex mutex_;  // of is_over_ and the signal: the sleeper may be gone after finish()
    std::atomic<bool> is_over_ = false;
    std::atomic<WaitEnd> end_ = WaitEnd::changed;
};

/// The calling thread can be interrupted.
class FlockWait::Interruptible {
  public:
    Interruptible() {
        struct sigaction action{};
        action.sa_handler = only_interrupts;  // without SA_RESTART
        ::sigaction(kInterrupt, &action, nullptr);
        sigset_t interrupt;
        ::sigemptyset(&interrupt);
        ::sigaddset(&interrupt, kInterrupt);
        ::pthread_sigmask(SIG_UNBLOCK, &interrupt, &before_);
    }
    Interruptible(const Interruptible&) = delete;
    Interruptible& operator=(const Interruptible&) = delete;
    ~Interruptible() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

Patience::Patience(const LockWait& wait)
    : forever_(!wait.limit),
      only_retries_(wait.limit && *wait.limit <= Millis{0}),
      wake_fd_(wait.wake_fd),
      deadline_(monotonic_now() +
                (only_retries_ ? kRetriesInAll : std::min(wait.limit.value_or(kLongestDuration), kLongestDuration))) {}

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

FlockWait::FlockWait() = default;
FlockWait::~FlockWait() { finish(); }

Result<WaitEnd> FlockWait::run(int fd, int operation, const Patience& patience) {
    finish();
    if (patience.only_retries()) return patience.sleep(-1, kBetweenRetries);
    auto watch = std::make_shared<Watch>(patience);
    if (!watch->usable()) return os_error(Failure::os, "making an eventfd to wait for the lock");
    interruptible_ = std::make_unique<Interruptible>();
    if (const int error = Watch::start(watch); error != 0) {
        interruptible_.reset();
        return os_error(Failure::os, "starting a thread to wait for the lock", error);
    }
    watch_ = std::move(watch);
    int error = 0;
    do {
        error = ::flock(fd, operation) == 0 ? 0 : errno;
    } while (error == EINTR && watch_->end() == WaitEnd::changed);
    if (error != 0 && error != EINTR) return os_error(Failure::lock, "waiting in flock(2)", error);
    // What was granted in the last moment counts, but not against a stop.
    const WaitEnd end = watch_->end();
    return error == 0 && end == WaitEnd::timed_out ? WaitEnd::changed : end;
}

void FlockWait::finish() {
    if (!watch_) return;
    watch_->finish();
    watch_.reset();
    interruptible_.reset();
}

void DirectoryWatch::start(int directory_fd, std::uint32_t events) {
    if (started_) return;
    started_ = true;
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify_) return;
    const std::string directory = "/proc/self/fd/" + std::to_string(directory_fd);
    if (::inotify_add_watch(inotify_.get(), directory.c_str(), events) < 0) inotify_.reset();
}

WaitEnd DirectoryWatch::sleep(const Patience& patience, Millis at_most) {
    if (patience.only_retries()) return patience.sleep(-1, kBetweenRetries);
    // No more inotify instances, or a directory that we may not read: look from time to time.
    const WaitEnd end = patience.sleep(inotify_.get(), inotify_ ? at_most : std::min(at_most, kWithoutInotify));
    std::array<char, 4096> events{};
    while (inotify_ && ::read(inotify_.get(), events.data(), events.size()) > 0) {
    }
    return end;
}

}  // namespace lockstep
