#include "run/told_records.hpp"

#include "base/digest.hpp"

namespace lockstep {

bool ToldRecords::told_before(std::string_view what) {
    std::string digest = sha256_of_parts({what});
    const bool told = before_.contains(digest);
    if (now_.size() < kMost) now_.insert(std::move(digest));
    return told;
}

void ToldRecords::keep(bool all_read) {
    for (auto old = before_.begin(); !all_read && old != before_.end() && now_.size() < kMost; ++old) now_.insert(*old);
    if (now_ != before_) journal_.keep_told_records(std::move(now_));
}

}  // namespace lockstep
