#include "run/told_records.hpp"

#include <unistd.h>

#include <fstream>

#include "base/digest.hpp"
#include "sys/log.hpp"

namespace lockstep {

ToldRecords::ToldRecords(std::string path) : path_(std::move(path)) {
    std::ifstream file(path_);
    for (std::string digest; before_.size() < kMost && std::getline(file, digest);) before_.insert(digest);
}

bool ToldRecords::told_before(std::string_view what) {
    std::string digest = sha256_of_parts({what});
    const bool told = before_.contains(digest);
    if (now_.size() < kMost) now_.insert(std::move(digest));
    return told;
}

void ToldRecords::keep(bool all_read) {
    if (!all_read) now_.insert(before_.begin(), before_.end());
    if (now_ == before_) return;
    if (now_.empty()) {
        ::unlink(path_.c_str());
        return;
    }
    const std::string next = path_ + ".new";
    std::ofstream file(next, std::ios::trunc);
    for (const std::string& digest : now_) file << digest << '\n';
    file.close();
    // Not synced: after a power cut they are told once more.
    if (!file || ::rename(next.c_str(), path_.c_str()) != 0) {
        log::debug("{} cannot be written: what it was to hold is told again", path_);
        ::unlink(next.c_str());
    }
}

}  // namespace lockstep
