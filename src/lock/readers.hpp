#pragma once
// Those who share a lock: each has its record in the lock directory, `r.<run id>`, and keeps it under flock(2).

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "lock/lock_record.hpp"

namespace lockstep {

/// "r.20261124T030001Z-5f2c01ab"
std::string reader_name(std::string_view run_id);

/// Letters, digits, '_' and '-', 1 to 64 of them: what stands in the name `r.<run id>`.
bool is_good_for_a_name(std::string_view run_id);

/// Is it `r.<run id>`?
bool is_reader_name(std::string_view name);

/// The records of all readers in the directory, dead or alive, in the order of their coming.
std::vector<LockRecord> read_readers(int directory_fd);

/// "pid 812 since 03:00:01 and 2 more readers"; "" if there is none.
std::string describe_readers(const std::vector<LockRecord>& readers);

/// give_up_directory() for one who holds it shared: the last of those who do gives it up, and clears away what killed ones have
/// left.
int give_up_share(int directory_fd, int parent_fd, const char* name, const struct stat& identity);

}  // namespace lockstep
