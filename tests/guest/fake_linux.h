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
#define FAKE_RUNQUEUES 0x40
#define FAKE_RQ_TASKS 0x10
#define FAKE_RQ_CURR 0x20
#define FAKE_TASK_STACK 0x18
#define FAKE_TASK_SP 0x20
#define FAKE_TASK_TASKS 0x40
#define FAKE_TASK_ON_CPU 0x60
#define FAKE_STACK 16384u

#define FAKE_ID "a test kernel's id!!" /* 20 bytes */
#define FAKE_OLD "old old"             /* 8 bytes with the NUL: what the site holds, */
#define FAKE_NEW "new new"             /* and what the leaf makes of it */

/* Places of its text in which a CPU may be; of one of them leaf/stand.c replaces an instruction. */
#define FAKE_PLACE 0x80u
#define FAKE_NOWHERE(i) (FAKE_SYSCALL + 0x100 + 2 * FAKE_PLACE * (i))
#define FAKE_RETURN FAKE_NOWHERE(4)
#define FAKE_FUNCTION FAKE_NOWHERE(5)
#define FAKE_INSN (FAKE_FUNCTION + 0x40)
#define FAKE_ELSEWHERE FAKE_NOWHERE(6)
#define FAKE_INSN_SIZE 8 /* a NOP, another one */
#define FAKE_INSN_OLD \
	{ \
		0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 \
	}
#define FAKE_INSN_NEW \
	{ \
		0x0f, 0x1f, 0x84, 0, 1, 0, 0, 0 \
	}
#define FAKE_IRQ_STACK 0x800           /* per CPU */
#define FAKE_SLOTS (FAKE_DATA + 0xc00) /* two caches of probes' slots */
#define FAKE_CACHE 0x40
#define FAKE_SLOTS_PAGES 0x10
#define FAKE_SLOT_PAGE (FAKE_IMAGE + 0x300000)
#define FAKE_AREA(cpu) (FAKE_IMAGE + 0x400000 + 0x20000ULL * (cpu)) /* per-CPU area, task and stacks */

#ifdef GUEST_KERNEL_H /* not for the leaf */
#include <newleaf/hypercall.h>

bool fake_linux_begin(void);               /* false, and the test has failed: the leaf is refused */
bool fake_linux_begin_agentless(void);     /* the same with the other leaf, and commits that gather nobody */
uint64_t fake_linux_physical(uint64_t va); /* of its text */
enum nl_err fake_linux_prepare(bool applied, uint32_t deadline_ms);
enum nl_err fake_linux_try(struct nl_commit_report *report);
enum nl_err fake_linux_commit(bool applied, uint32_t deadline_ms, struct nl_commit_report *report);
bool fake_linux_shows(bool applied);   /* to this CPU */
void fake_linux_read(struct cpu *cpu); /* a job: result 1 or 2, as it is not applied or is */
#endif

#endif
