#pragma once
// A disk that fails on request: an SQLite VFS before the real one.

#include <atomic>

namespace lockstep::test {

/// While it lives, every database that is opened goes through it. Nothing fails until it is told to.
class FaultyDisk {
  public:
    FaultyDisk();
    ~FaultyDisk();
    FaultyDisk(const FaultyDisk&) = delete;
    FaultyDisk& operator=(const FaultyDisk&) = delete;

    /// From now on every write (sync) fails with this SQLite code; 0: works.
    void fail_writes(int code);
    void fail_syncs(int code);
    int syncs() const;
};

}  // namespace lockstep::test
