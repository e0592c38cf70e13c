#pragma once
// A disk that fails on request: an SQLite VFS before the real one.

#include <atomic>
#include <cstdint>

namespace lockstep::test {

/// While it lives, every database that is opened goes through it. Nothing fails until it is told to.
class FaultyDisk {
  public:
    enum class Call : std::uint8_t { none, open, write, sync, truncate };

    FaultyDisk();
    ~FaultyDisk();
    FaultyDisk(const FaultyDisk&) = delete;
    FaultyDisk& operator=(const FaultyDisk&) = delete;

    /// From now on every write (sync) fails with this SQLite code; 0: works.
    void fail_writes(int code);
    void fail_syncs(int code);
    int syncs() const;

    /// The nth call of this kind from now on, the first being 1, fails with this SQLite code; all others work.
    void fail_once(Call call, int nth, int code);
    /// That call has come.
    bool has_failed() const;
    /// It was a write of nothing but zeros: room made for a log ahead of its need, which is no loss where it fails.
    bool has_failed_to_make_room() const;
};

}  // namespace lockstep::test
