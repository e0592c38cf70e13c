#pragma once
// Where the kernel enters the program, and the ways from there: into the plain road, out of it, and into a command. x86-64,
// System V ABI: at the entry the stack pointer is a multiple of 16 and shows argc, argv, the environment and what else the
// kernel tells.

extern "C" {

/// The kernel starts this program here (ld --entry). If lockstep_consider() returns, it is as if it had never been: on to
/// _start.
void lockstep_entry();

/// The plain road. Returns if this is no command line for it, or if it could not be entered.
void lockstep_consider(long* initial_stack);

/// The C library's _start, with the stack pointer that the kernel gave, or a copy of what it points to.
[[noreturn]] void lockstep_enter_program(long* initial_stack);

/// clone(2) with CLONE_VM: a process of its own, but in our memory. It calls function(argument), which never returns, on the
/// stack that ends at `stack_end`.
/// @return its pid, or -errno, at once
long lockstep_begin_beside(void* stack_end, void (*function)(void*), void* argument);

/// vfork(2) as a call: the child, in our memory and below our stack, calls function(argument), which ends in execve or _exit.
/// @return the child's pid, or -errno, once it has done so
long lockstep_vfork(void (*function)(void*), void* argument);
}
