// SPDX-License-Identifier: Apache-2.0
/*
 * What the litmus test patches: a pass (litmus_pass.inc), and functions and data on pages of their own, each of which
 * says its version. Here is where they lie in the Linux that the test kernel shows for it; leaf/litmus.c says it in a
 * leaf, litmus.c makes it true. Also read by the assembler.
 */
#ifndef GUEST_LITMUS_H
#define GUEST_LITMUS_H

#define LIT_IMAGE 0xffffffff83000000
#define LIT_SIZE 0x200000
#define LIT_PAGE 0x1000
#define LIT_N 4 /* functions, and pages of data */
#define LIT_VERSIONS (1 + 2 * LIT_N)

/* Text: the pass in the first page, a function in each of the next. */
#define LIT_TEXT LIT_IMAGE
#define LIT_TEXT_PAGES (1 + LIT_N)
#define LIT_PASS 0x200 /* offset in its page */
#define LIT_PASS_SIZE 0x100
#define LIT_FUNCTION 0x300 /* in each */
#define LIT_FUNCTION_SIZE 0x20
#define LIT_NOP 8 /* bytes at the beginning of each, which become a jump */

#define LIT_RODATA (LIT_TEXT + LIT_TEXT_PAGES * LIT_PAGE)
#define LIT_DATUM 0x400 /* in each page: 8 bytes */
#define LIT_BUILD_ID 0x800
#define LIT_PAGE_TABLE (LIT_RODATA + LIT_N * LIT_PAGE)
#define LIT_INIT_TASK (LIT_PAGE_TABLE + LIT_PAGE)
#define LIT_PER_CPU (LIT_INIT_TASK + 0x800) /* no CPU has an area: the core walks the list of tasks */
#define LIT_PMD (LIT_INIT_TASK + LIT_PAGE)

/* The leaf's bodies: the pass, then the functions. */
#define LIT_BODY_SIZE 0x200
#define LIT_BODY_FUNCTION 0x100
#define LIT_BODY_STEP 0x20

/* struct pass */
#define LIT_AT_FUNCTION 0
#define LIT_AT_DATUM (8 * LIT_N)
#define LIT_AT_SLEEP (16 * LIT_N)
#define LIT_AT_SLEEP_AT (16 * LIT_N + 8)
#define LIT_AT_SEEN (16 * LIT_N + 16)

/* struct task, as a leaf names its fields */
#define LIT_TASK_STACK 0x18
#define LIT_TASK_SP 0x20
#define LIT_TASK_PID 0x28
#define LIT_TASK_COMM 0x30
#define LIT_TASK_TASKS 0x40
#define LIT_TASK_ON_CPU 0x60
#define LIT_STACK_SIZE 16384

#define LIT_ID "a kernel for litmus!" /* 20 bytes */

#endif
