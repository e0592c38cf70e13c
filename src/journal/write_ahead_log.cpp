#include "journal/write_ahead_log.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace lockstep {
namespace {

constexpr sqlite3_int64 kHeader = 32;
constexpr sqlite3_int64 kFrame = 24 + 4096;  // https://www.sqlite.org/fileformat2.html#walformat
constexpr sqlite3_int64 kTransaction = 8 * kFrame;
constexpr sqlite3_int64 kLeast = 16 * kFrame;
constexpr sqlite3_int64 kMost = 256 * kFrame;

sqlite3_file* log_file(SqliteDb& db, int& code) {
    sqlite3_file* file = nullptr;
    code = ::sqlite3_file_control(db.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&file));
    return code == SQLITE_OK && file != nullptr && file->pMethods != nullptr ? file : nullptr;
}

}  // namespace

Result<void> check_in_place(SqliteDb& db, int frames) {
    int moved = 0;
    (void)::sqlite3_file_control(db.handle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    // access(2), for who has looked at a file's times by stat(2) makes the next write change them, and the sync after it
    // slower.
    if (moved == 0 && (frames == 0 || ::access((db.path() + "-wal").c_str(), F_OK) == 0)) return {};
    return fail(Failure::journal, fmt::format("journal {}: it, or the -wal beside it, was moved or deleted while a run was at "
                                              "work; put it back, or what this run did is done again",
                                              db.path()));
}

Result<void> sync_write_ahead_log(SqliteDb& db) {
    int code = SQLITE_OK;
    if (sqlite3_file* file = log_file(db, code)) code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    if (code != SQLITE_OK) return std::unexpected(db.failure("syncing it", code));
    return {};
}

Result<void> copy_write_ahead_log(SqliteDb& db) {
    const int code = ::sqlite3_wal_checkpoint_v2(db.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY) return {};
    return std::unexpected(db.failure("copying its write-ahead log into the database", code));
}

bool has_write_ahead_log(const std::string& path) {
    struct stat log{};
    return ::stat((path + "-wal").c_str(), &log) == 0 && log.st_size > 0;
}

void remove_write_ahead_log_at_close(SqliteDb& db) {
    (void)::sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
}

void LogRoom::make(int frames) {
    static constexpr std::array<char, 16 * kFrame> kZeros{};
    const sqlite3_int64 wanted = kHeader + frames * kFrame + kTransaction;
    if (wanted <= size_) return;
    int code = SQLITE_OK;
    sqlite3_file* file = log_file(*db_, code);
    if (file == nullptr || file->pMethods->xFileSize(file, &size_) != SQLITE_OK || wanted <= size_) return;
    const sqlite3_int64 end = size_ + std::clamp(size_, kLeast, kMost);
    while (size_ < end) {
        const auto piece = std::min<sqlite3_int64>(end - size_, kZeros.size());
        if (file->pMethods->xWrite(file, kZeros.data(), static_cast<int>(piece), size_) != SQLITE_OK) return;
        size_ += piece;
    }
}

}  // namespace lockstep
