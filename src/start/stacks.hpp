#pragma once
// Front and guardian of the plain road are two processes in one memory: CLONE_VM, for a copy of even this little is most of
// what a fork costs. What only one of them may have is told apart by the stack: the front's is the kernel's, the guardian has
// these. Whoever kills one of the two does not kill the other; only the kernel's OOM killer takes both.

#include <cstddef>
#include <cstdint>

namespace lockstep::start {

/// What the guardian needs on the plain road, and after it, when it has become the whole program.
struct GuardianStacks {
    alignas(16) std::byte program[1024 * 1024];
    alignas(16) std::byte plain[32 * 1024];
};

/// All zero at first, and nothing of it in memory before it is used.
extern constinit GuardianStacks guardian_stacks;  // NOLINT(bugprone-dynamic-static-initializers): constinit

/// Of the caller.
[[gnu::always_inline]] inline bool is_guardian() {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    return here - reinterpret_cast<std::uintptr_t>(&guardian_stacks.plain) < sizeof guardian_stacks.plain;
}

/// What the kernel has put on a new program's stack: argc, argv, the environment, the auxiliary vector (getauxval(3)).
class InitialStack {
  public:
    explicit InitialStack(long* begin);

    char** argv() const { return reinterpret_cast<char**>(begin_ + 1); }
    char** environment() const { return argv() + *begin_ + 1; }

    /// Small enough for the guardian's program stack; nobody has so many arguments.
    bool can_be_copied() const { return size_ < sizeof guardian_stacks.program / 8; }
    /// The same at the end of the guardian's program stack, for lockstep_enter_program().
    long* copy_for_guardian() const;

  private:
    long* begin_;
    std::size_t size_;  // bytes; the strings are elsewhere
};

}  // namespace lockstep::start
