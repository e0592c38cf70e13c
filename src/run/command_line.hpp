#pragma once
// A command as people read it: in the lock's record and in messages.

#include "base/text_buffer.hpp"

namespace lockstep {

using CommandLineText = TextBuffer<320>;

/// The words quoted as for a shell, printable, cut with "…" after 300 bytes.
CommandLineText command_line(char* const* argv);

}  // namespace lockstep
