#pragma once
// The states of a pair and which may follow which: the one table that normal execution and recovery share.

#include <cstdint>
#include <optional>
#include <string_view>

#include "job/expression.hpp"

namespace lockstep {

enum class PairState : std::uint8_t {
    pending,                 ///< nothing has happened
    first_begun,             ///< the first phase may have taken effect
    first_not_applied,       ///< it certainly has not; another attempt may follow
    first_refused,           ///< it certainly has not and never will: the item failed, nothing is open
    first_done,              ///< it has; the second phase is owed
    second_begun,            ///< the second phase may have taken effect
    second_not_applied,      ///< it certainly has not; another attempt may follow
    second_refused,          ///< it never will: compensate, or park
    done,                    ///< both have (or the only one)
    compensate_begun,        ///< the undoing of the first may have taken effect
    compensate_not_applied,  ///< it certainly has not; another attempt may follow
    compensate_refused,      ///< it never will: park
    compensated,             ///< the first is undone: the item failed, nothing is open
    parked,                  ///< no rule can finish it: it waits for a person
};

/// The name that the journal stores and people read: "first-begun".
std::string_view to_string(PairState state);
std::optional<PairState> pair_state_from(std::string_view name);

/// The phase that the state is named after.
std::optional<PhaseName> phase_of(PairState state);

/// May `to` be written over `from`? Anything else is a bug of ours, and is refused loudly.
bool may_follow(PairState from, PairState to);

/// Something may have happened that is not finished: the pair must be settled before it can be left alone.
bool is_open(PairState state);
/// It ended without effect, or its effect was undone: the item failed. Whatever tries it again needs a new key, since APIs
/// replay a stored refusal under the old one.
bool has_failed(PairState state);
/// A phase was begun and its outcome is not known.
bool is_in_doubt(PairState state);

}  // namespace lockstep
