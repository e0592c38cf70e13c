#pragma once
// What a process that is about to sleep for long can give back.

namespace lockstep {

/// Returns the free part of the heap to the kernel (malloc_trim(3)), and takes the pages of programs and libraries out of this
/// process (madvise(2), MADV_DONTNEED): they stay in the page cache, and are found there again, a fault for 64 KiB, when they
/// are next used. A mapping in which any page is the process's own is left alone: relocations, a debugger's breakpoints,
/// uprobes. Other threads may load libraries meanwhile. What cannot be given back does not matter, and is not told. Takes about
/// half a millisecond.
void give_back_memory() noexcept;

}  // namespace lockstep
