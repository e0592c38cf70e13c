#pragma once
// What earlier passes left unfinished, item by item, in the order in which a pass goes about it.

#include <string>
#include <vector>

#include "job/job_spec.hpp"
#include "journal/journal.hpp"

namespace lockstep {

struct UnfinishedItem {
    std::string key;
    std::vector<UnfinishedPair> pairs;

    bool is_parked() const;
    /// A person wants it anew, or a later step lacked a secret: it is for whoever has read the source, which may be mended.
    bool begins_anew(const JobSpec& job) const;
};

/// The pairs of one item stand together; the wanted item (--only) comes first, then the one with the oldest pair.
std::vector<UnfinishedItem> unfinished_items(std::vector<UnfinishedPair> pairs, const std::optional<std::string>& wanted);

}  // namespace lockstep
