// SPDX-License-Identifier: Apache-2.0
/*
 * What the test kernel shows of a Linux that it is not: link addresses and offsets in structures, just as many as the
 * core reads before it commits a leaf. leaf/commit.c says them in a leaf, fake_linux.c makes them true.
 */
#ifndef GUEST_FAKE_LINUX_H
#define GUEST_FAKE_LINUX_H

#define FAKE_IMAGE 0xffffffff81000000ULL
#define FAKE_SIZE 0x200000ULL
#define FAKE_SYSCALL (FAKE_IMAGE + 0x1000)
#define FAKE_RODATA (FAKE_IMAGE + 0x2000)
#define FAKE_SITE (FAKE_RODATA + 0x100)
#define FAKE_BUILD_ID (FAKE_RODATA + 0x200)
#define FAKE_PAGE_TABLE (FAKE_IMAGE + 0x3000)
#define FAKE_DATA (FAKE_IMAGE + 0x4000)
#define FAKE_INIT_TASK FAKE_DATA
#define FAKE_PER_CPU (FAKE_DATA + 0x800) /* no CPU has an area: the core walks the list of tasks, which is empty */
#define FAKE_TASK_TASKS 0x40

#define FAKE_ID "a test kernel's id!!" /* 20 bytes */
#define FAKE_OLD "old old"             /* 8 bytes with the NUL: what the site holds, */
#define FAKE_NEW "new new"             /* and what the leaf makes of it */

#ifdef GUEST_KERNEL_H /* not for the leaf */
#include <newleaf/hypercall.h>

bool fake_linux_begin(void); /* false, and the test has failed: the leaf is refused */
enum nl_err fake_linux_prepare(bool applied, uint32_t deadline_ms);
enum nl_err fake_linux_try(struct nl_commit_report *report);
enum nl_err fake_linux_commit(bool applied, uint32_t deadline_ms, struct nl_commit_report *report);
bool fake_linux_shows(bool applied);   /* to this CPU */
void fake_linux_read(struct cpu *cpu); /* a job: result 1 or 2, as it is not applied or is */
#endif

#endif
