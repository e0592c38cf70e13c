#include "fault_vfs.hpp"

#include <sqlite3.h>

#include <array>
#include <mutex>
#include <string_view>

namespace lockstep::test {
namespace {

std::atomic<int> write_code = 0;
std::atomic<int> sync_code = 0;
std::atomic<int> sync_count = 0;

struct OneFault {
    FaultyDisk::Call call = FaultyDisk::Call::none;
    int nth = 0;
    int code = 0;
    int seen = 0;
    bool of_zeros = false;
};
std::mutex one_fault_mutex;
OneFault one_fault;

/// The code that this call is to fail with, or 0.
int due(FaultyDisk::Call call) {
    const std::lock_guard lock(one_fault_mutex);
    return one_fault.call == call && ++one_fault.seen == one_fault.nth ? one_fault.code : 0;
}

sqlite3_vfs* real_vfs = nullptr;
sqlite3_vfs faulty_vfs;

// A file's own table of methods is replaced by a copy with some of them exchanged: no file object of ours is needed. The real
// VFS has a few tables (the database's locks, the log does not).
struct Layer {
    sqlite3_io_methods faulty;  // first, so that a file's pMethods points to its Layer
    const sqlite3_io_methods* real;
};
std::array<Layer, 8> layers;

const sqlite3_io_methods& real_methods(sqlite3_file* file) { return *reinterpret_cast<const Layer*>(file->pMethods)->real; }

int failing_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    const int code = write_code != 0 ? write_code.load() : due(FaultyDisk::Call::write);
    if (code != 0 && write_code == 0) {
        const std::string_view text(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
        const std::lock_guard lock(one_fault_mutex);
        one_fault.of_zeros = text.find_first_not_of('\0') == std::string_view::npos;
    }
    return code != 0 ? code : real_methods(file).xWrite(file, bytes, size, offset);
}

int failing_sync(sqlite3_file* file, int flags) {
    ++sync_count;
    const int code = sync_code != 0 ? sync_code.load() : due(FaultyDisk::Call::sync);
    return code != 0 ? code : real_methods(file).xSync(file, flags);
}

int failing_truncate(sqlite3_file* file, sqlite3_int64 size) {
    const int code = due(FaultyDisk::Call::truncate);
    return code != 0 ? code : real_methods(file).xTruncate(file, size);
}

int open_faulty(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    if (const int code = due(FaultyDisk::Call::open); code != 0) {
        file->pMethods = nullptr;
        return code;
    }
    const int code = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (code != SQLITE_OK || file->pMethods == nullptr) return code;
    for (Layer& layer : layers) {
        if (layer.real != nullptr && layer.real != file->pMethods) continue;
        if (layer.real == nullptr) {
            layer = {*file->pMethods, file->pMethods};
            layer.faulty.xWrite = failing_write;
            layer.faulty.xSync = failing_sync;
            layer.faulty.xTruncate = failing_truncate;
        }
        file->pMethods = &layer.faulty;
        break;
    }
    return code;
}

}  // namespace

FaultyDisk::FaultyDisk() {
    real_vfs = ::sqlite3_vfs_find(nullptr);
    faulty_vfs = *real_vfs;
    faulty_vfs.zName = "faulty";
    faulty_vfs.pNext = nullptr;
    faulty_vfs.xOpen = open_faulty;
    ::sqlite3_vfs_register(&faulty_vfs, 1);
    write_code = 0;
    sync_code = 0;
    sync_count = 0;
    fail_once(Call::none, 0, 0);
}

FaultyDisk::~FaultyDisk() { ::sqlite3_vfs_unregister(&faulty_vfs); }

void FaultyDisk::fail_writes(int code) { write_code = code; }
void FaultyDisk::fail_syncs(int code) { sync_code = code; }
void FaultyDisk::fail_once(Call call, int nth, int code) {
    const std::lock_guard lock(one_fault_mutex);
    one_fault = {call, nth, code};
}
bool FaultyDisk::has_failed() const {
    const std::lock_guard lock(one_fault_mutex);
    return one_fault.seen >= one_fault.nth;
}
bool FaultyDisk::has_failed_to_make_room() const {
    const std::lock_guard lock(one_fault_mutex);
    return one_fault.of_zeros;
}
int FaultyDisk::syncs() const { return sync_count; }

}  // namespace lockstep::test
