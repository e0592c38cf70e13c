#include "start/stacks.hpp"

#include <elf.h>

#include <cstring>

namespace lockstep::start {

constinit GuardianStacks guardian_stacks = {};

InitialStack::InitialStack(long* begin) : begin_(begin) {
    const long* word = begin + 1 + *begin + 1;
    while (*word++ != 0) {
    }
    constexpr int kPair = 2;
    while (*word != AT_NULL) word += kPair;
    size_ = static_cast<std::size_t>(word + kPair - begin) * sizeof *begin;
}

long* InitialStack::copy_for_guardian() const {
    std::byte* const end = guardian_stacks.program + sizeof guardian_stacks.program;
    std::byte* const copy = end - (size_ + 15) / 16 * 16;
    return static_cast<long*>(std::memcpy(copy, begin_, size_));
}

}  // namespace lockstep::start
