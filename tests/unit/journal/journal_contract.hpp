#pragma once
// What every journal promises, whatever it is made of. A back end's test passes in how it is opened.

#include <functional>
#include <memory>
#include <string>

#include "journal/journal.hpp"

namespace lockstep::test {

/// Opens the same journal each time it is called; the one before is closed first.
using OpenJournal = std::function<std::unique_ptr<Journal>()>;

/// A pair with something in every field.
Pair sample_pair(const std::string& item_key, PairState state);

/// Takes a pair from pending to done as a run does, with the two synced writes.
Result<void> write_whole_pair(Journal& journal, const std::string& item_key);

void check_journal_contract(const OpenJournal& open);

}  // namespace lockstep::test
