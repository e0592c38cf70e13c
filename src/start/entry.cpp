#include "start/entry.hpp"

// 56 is clone(2), 0x111 CLONE_VM | SIGCHLD, 0x4000 CLONE_VFORK. %rdx is 0 for _start: nothing is to be called at exit.
asm(R"(
    .pushsection .text.lockstep_entry, "ax", @progbits
    .globl lockstep_entry
    .type lockstep_entry, @function
lockstep_entry:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    call lockstep_consider
    xorl %edx, %edx
    jmp _start
    .size lockstep_entry, . - lockstep_entry

    .globl lockstep_enter_program
    .type lockstep_enter_program, @function
lockstep_enter_program:
    movq %rdi, %rsp
    xorl %ebp, %ebp
    xorl %edx, %edx
    jmp _start
    .size lockstep_enter_program, . - lockstep_enter_program

    .globl lockstep_begin_beside
    .type lockstep_begin_beside, @function
lockstep_begin_beside:
    movq %rsi, %r8
    movq %rdx, %r9
    movq %rdi, %rsi
    movl $0x111, %edi
    jmp 2f
    .size lockstep_begin_beside, . - lockstep_begin_beside

    .globl lockstep_vfork
    .type lockstep_vfork, @function
lockstep_vfork:
    movq %rdi, %r8
    movq %rsi, %r9
    movl $0x4111, %edi
    leaq -256(%rsp), %rsi
2:  andq $-16, %rsi
    subq $16, %rsi
    movq %r8, (%rsi)
    movq %r9, 8(%rsi)
    xorl %edx, %edx
    xorl %r10d, %r10d
    xorl %r8d, %r8d
    movl $56, %eax
    syscall
    testq %rax, %rax
    jz 1f
    ret
1:  xorl %ebp, %ebp
    popq %rax
    popq %rdi
    call *%rax
    ud2
    .size lockstep_vfork, . - lockstep_vfork
    .popsection
)");
