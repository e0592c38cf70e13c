#pragma once
// What the completions of all shells are made of.

#include <string>
#include <string_view>

#include "cli/manual.hpp"

namespace lockstep {

std::string bash_completion(const Manual& manual);
std::string zsh_completion(const Manual& manual);
std::string fish_completion(const Manual& manual);

/// A help text as one line of a shell word in single quotes, with an apostrophe as that shell has it in there.
std::string brief_help(const std::string& text, std::string_view apostrophe);

/// Prints the first column of `lockstep locks`, without its head and without what is said below a lock.
inline constexpr char kFirstColumn[] = "sed -n \"2,\\$s/^\\([^ ][^ ]*\\).*/\\1/p\"";

}  // namespace lockstep
