#pragma once
// A run's id: when it began and something random, so that ids sort by time (UTC): "20261123T030001Z-7f3a9c21".

#include "base/text_buffer.hpp"

namespace lockstep {

using RunIdText = TextBuffer<32>;

RunIdText make_run_id();

}  // namespace lockstep
