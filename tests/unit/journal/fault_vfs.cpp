#include "fault_vfs.hpp"

#include <sqlite3.h>

#include <array>

namespace lockstep::test {
namespace {

std::atomic<int> write_code = 0;
std::atomic<int> sync_code = 0;
std::atomic<int> sync_count = 0;

sqlite3_vfs* real_vfs = nullptr;
sqlite3_vfs faulty_vfs;

// A file's own table of methods is replaced by a copy with two of them exchanged: no file object of ours is needed. The real
// VFS has a few tables (the database's locks, the log does not).
struct Layer {
    sqlite3_io_methods faulty;  // first, so that a file's pMethods points to its Layer
    const sqlite3_io_methods* real;
};
std::array<Layer, 8> layers;

const sqlite3_io_methods& real_methods(sqlite3_file* file) { return *reinterpret_cast<const Layer*>(file->pMethods)->real; }

int failing_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    const int code = write_code;
    return code != 0 ? code : real_methods(file).xWrite(file, bytes, size, offset);
}

int failing_sync(sqlite3_file* file, int flags) {
    ++sync_count;
    const int code = sync_code;
    return code != 0 ? code : real_methods(file).xSync(file, flags);
}

int open_faulty(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    const int code = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (code != SQLITE_OK || file->pMethods == nullptr) return code;
    for (Layer& layer : layers) {
        if (layer.real != nullptr && layer.real != file->pMethods) continue;
        if (layer.real == nullptr) {
            layer = {*file->pMethods, file->pMethods};
            layer.faulty.xWrite = failing_write;
            layer.faulty.xSync = failing_sync;
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
}

FaultyDisk::~FaultyDisk() { ::sqlite3_vfs_unregister(&faulty_vfs); }

void FaultyDisk::fail_writes(int code) { write_code = code; }
void FaultyDisk::fail_syncs(int code) { sync_code = code; }
int FaultyDisk::syncs() const { return sync_count; }

}  // namespace lockstep::test
