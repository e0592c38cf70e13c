#pragma once
// What the killer and its contenders share: a page of counters that outlives any of them.

#include <atomic>
#include <cstddef>
#include <string>

namespace lock_stress {

inline constexpr std::size_t kMostContenders = 128;

enum class Protocol { lockstep, naive_rmdir };

struct Options {
    std::size_t contenders = 8;
    long sections = 2000;
    std::size_t scripts = 0;  ///< more contenders, which do as scripts with mkdir and rmdir do; stopped, but never killed
    unsigned readers = 0;     ///< so many of 100 sections share the lock
    long pause_us = 300;      ///< at most, between two sections of a contender
    double kill_rate = 20;    ///< SIGKILLs and SIGSTOPs a second
    int limit_s = 120;
    int seconds = 0;  ///< 0: until all sections are done
    std::string root = "/tmp";
    Protocol protocol = Protocol::lockstep;
    bool expect_overlap = false;
};

struct Counters {
    std::atomic<int> inside[kMostContenders];  ///< the oracle's: pid of one that is alone inside, -pid of a reader, or 0
    std::atomic<long> sections;                ///< finished
    std::atomic<long> overlaps;                ///< the oracle found somebody else inside
    std::atomic<long> adopted;
    std::atomic<long> together;  ///< a reader found another one inside
    std::atomic<long> lost;      ///< release() said "lock lost"
    std::atomic<long> errors;    ///< anything else that went wrong
    std::atomic<bool> finished;
    std::atomic<long> per_slot[kMostContenders];
    std::atomic<long> longest_wait_us[kMostContenders];
};

/// The life of one contender: takes the lock, enters, leaves, until all sections are done or it is killed.
[[noreturn]] void contend(const Options& options, std::size_t slot, const std::string& directory, Counters& counters);

}  // namespace lock_stress
