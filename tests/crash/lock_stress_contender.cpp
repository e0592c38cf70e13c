#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "lock/directory_lock.hpp"
#include "lock_stress.hpp"

namespace lock_stress {

namespace {

using namespace lockstep;

/// Can that process still execute an instruction of its own? Not as a zombie, and not once it is PF_EXITING, which it is
/// before the kernel closes its files and so drops its flock.
bool can_act(pid_t pid) {
    const UniqueFd file(::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
    char text[512] = {};
    if (!file || ::read(file.get(), text, sizeof text - 1) <= 0) return false;
    const char* fields = std::strrchr(text, ')');
    char state = 0;
    unsigned flags = 0;  // field 9
    if (fields == nullptr || std::sscanf(fields, ") %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2) return false;
    constexpr unsigned kExiting = 0x4;
    return state != 'Z' && state != 'X' && (flags & kExiting) == 0;
}

/// The oracle: pids in shared memory, which no file system and no kind of file lock has a part in. (A second file lock
/// would not do: when a process dies the kernel drops its locks one after the other, in whatever order.) The mark of a
/// killed contender counts until that one cannot act any more. Of two who are inside at once the one that came last sees the
/// other.
class Oracle {
  public:
    Oracle(Counters& counters, std::size_t slot) : counters_(counters), slot_(slot) {}

    void enter(bool shared) {
        counters_.inside[slot_] = shared ? -::getpid() : ::getpid();
        for (std::size_t i = 0; i < kMostContenders; ++i) {
            const int found = i == slot_ ? 0 : counters_.inside[i].load();
            if (found == 0 || !can_act(std::abs(found)) || counters_.inside[i] != found) continue;
            ++(shared && found < 0 ? counters_.together : counters_.overlaps);
        }
    }
    void leave() { counters_.inside[slot_] = 0; }

  private:
    Counters& counters_;
    std::size_t slot_;
};

/// What must not be done: remove the directory of a dead holder and make it anew, without flock. Two contenders that see
/// the same dead pid remove one another's lock.
class NaiveLock {
  public:
    explicit NaiveLock(std::string path) : path_(std::move(path)) {}

    void acquire() {
        while (::mkdir(path_.c_str(), 0700) != 0) {
            if (!holder_lives()) {
                ::unlink((path_ + "/pid").c_str());
                ::rmdir(path_.c_str());
            } else {
                ::usleep(200);
            }
        }
        const UniqueFd file(::open((path_ + "/pid").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        ::dprintf(file.get(), "%d", static_cast<int>(::getpid()));
    }
    void release() {
        ::unlink((path_ + "/pid").c_str());
        ::rmdir(path_.c_str());
    }

  private:
    bool holder_lives() const {
        const UniqueFd file(::open((path_ + "/pid").c_str(), O_RDONLY | O_CLOEXEC));
        char text[16] = {};
        if (!file || ::read(file.get(), text, sizeof text - 1) <= 0) return false;
        return ::access(("/proc/" + std::string(text)).c_str(), F_OK) == 0;
    }
    std::string path_;
};

void section(Oracle& oracle, std::minstd_rand& random, bool shared = false) {
    oracle.enter(shared);
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 400);
    while (std::chrono::steady_clock::now() < end) {
    }
    oracle.leave();
}

void lockstep_section(const LockPath& path, Oracle& oracle, Counters& counters, std::minstd_rand& random, bool shared) {
    LockRecord record;
    record.run_id = std::to_string(::getpid());
    LockWait wait;
    wait.limit = std::nullopt;
    auto lock = DirectoryLock::acquire(path, record, wait, shared ? LockMode::shared : LockMode::exclusive);
    if (!lock) {
        std::fprintf(stderr, "%s\n", lock.error().text.c_str());
        ++counters.errors;
        return;
    }
    if (lock->adopted()) ++counters.adopted;
    section(oracle, random, shared);
    if (!lock->still_ours()) ++counters.lost;
    if (const auto released = lock->release(); !released) {
        std::fprintf(stderr, "%s\n", released.error().text.c_str());
        ++counters.lost;
    }
}

/// mkdir LOCK && …; rmdir LOCK
void script_section(const std::string& lock, Oracle& oracle, Counters& counters, std::minstd_rand& random) {
    while (::mkdir(lock.c_str(), 0700) != 0) {
        if (counters.finished) return;
        ::usleep(100);
    }
    section(oracle, random);
    if (::rmdir(lock.c_str()) != 0) ++counters.lost;
}

}  // namespace

void contend(const Options& options, std::size_t slot, const std::string& directory, Counters& counters) {
    std::minstd_rand random(static_cast<unsigned>(::getpid()));
    Oracle oracle(counters, slot);
    oracle.leave();  // our predecessor, if any, is dead
    NaiveLock naive(directory + "/naive.lock");
    auto path = LockPath::open(directory + "/stress.lock");
    if (!path) ::_exit(3);
    while (!counters.finished) {
        const auto start = std::chrono::steady_clock::now();
        if (slot >= options.contenders) {
            script_section(directory + "/stress.lock", oracle, counters, random);
        } else if (options.protocol == Protocol::lockstep) {
            lockstep_section(*path, oracle, counters, random, random() % 100 < options.readers);
        } else {
            naive.acquire();
            section(oracle, random);
            naive.release();
        }
        const auto waited =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count();
        if (waited > counters.longest_wait_us[slot]) counters.longest_wait_us[slot] = waited;
        ++counters.per_slot[slot];
        if (++counters.sections >= options.sections && options.seconds == 0) counters.finished = true;
        ::usleep(static_cast<useconds_t>(random() % static_cast<unsigned long>(options.pause_us)));
    }
    ::_exit(0);
}

}  // namespace lock_stress
