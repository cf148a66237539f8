// SPDX-License-Identifier: Apache-2.0
/*
 * A guest made of nothing but memory: RAM with page tables, a kernel image in it with the few structures that the core
 * reads, tasks, and a reserved region with pool and arena. Views, pool and page walks are the core's own; only nl_phys,
 * nl_is_guest_ram and the vendor are fakes.
 */
#ifndef TESTS_UNIT_FAKEGUEST_H
#define TESTS_UNIT_FAKEGUEST_H

#include <newleaf/leaf.h>
#include "vendor.h"
#include "view/view.h"

#define FG_RAM 0x2000000ULL     /* 32 MiB from 0 */
#define FG_REGION 0x40000000ULL /* reserved region: beyond RAM, as the firmware's map says */
#define FG_LINK 0xffffffff81000000ULL
#define FG_IMAGE 0x400000ULL /* bytes of the kernel image, at physical FG_KERNEL */
#define FG_KERNEL 0x1000000ULL
#define FG_DIRECT 0xffff888000000000ULL
#define FG_USER 0x400000ULL /* guest-virtual, 64 KiB writable, and one read-only page behind */
#define FG_USER_SIZE 0x10000ULL
#define FG_THREAD_SIZE 16384u

/* Offsets in the image. */
#define FG_TEXT 0x0ULL
#define FG_SYSCALL 0x1000ULL
#define FG_RODATA 0x200000ULL
#define FG_BUILD_ID 0x2ff000ULL
#define FG_TOP 0x300000ULL
#define FG_ARENA_PMD 0x301000ULL
#define FG_RETURN_THUNK 0x302000ULL /* the pointer; it points to FG_THUNK */
#define FG_THUNK 0x1f0000ULL
#define FG_THUNK_DEFAULT 0x1f0100ULL /* a trap; a plain return stands for it */
#define FG_THUNK_PLAIN 0x1f0200ULL
#define FG_INDIRECT_THUNKS 0x1f1000ULL /* bare jumps */
#define FG_ITS_THUNKS 0x1f2000ULL
#define FG_PROBE_RETURN 0x1f3000ULL /* the trampolines of kretprobes and of the function graph tracer */
#define FG_GRAPH_RETURN 0x1f4000ULL
#define FG_ENTRY 0x1e0000ULL /* where no stack tells who is where */
#define FG_NOINSTR 0x1e2000ULL
#define FG_SWITCH_ASM 0x1e4000ULL
#define FG_SWITCH 0x1e5000ULL
#define FG_KPROBES 0x303000ULL
#define FG_INIT_TASK 0x304000ULL
#define FG_PER_CPU 0x306000ULL
#define FG_INIT_STACK 0x308000ULL
#define FG_EXT_CLASS 0x30c000ULL
#define FG_BANDWIDTH 0x30d000ULL
#define FG_NR_CPUS 0x30d008ULL
#define FG_SLOTS 0x30e000ULL /* kprobes' caches of instruction slots */

struct fake_guest {
	uint8_t *ram, *region;
	uint64_t slide;
	uint64_t user_cr3;     /* with page table isolation: the user half, bit 12 set */
	struct nl_context ctx; /* of a thread at CPL 3 */
	struct nl_leaf_target target;
	struct nl_view base;
	struct nl_cpu cpus[NL_MAX_CPUS];
	uint64_t next_object; /* bump allocator for tasks and stacks */
	uint32_t next_pid;
};
extern struct fake_guest fg;

/* A fresh machine; views are initialised and nl_commit_init is the caller's. */
void fg_start(uint64_t slide, bool la57, bool pti, unsigned cpus);
void fg_stop(void);
const struct nl_views *fg_views(void);

uint8_t *fg_image(uint64_t offset); /* home frame of a byte of the kernel image */
uint8_t *fg_shown(uint64_t offset); /* what the current view shows there */
uint8_t *fg_user(uint64_t va);      /* home frame of a byte of the user buffer */

/* A task with its own stack and `words` of it in use; returns where they lie. leader 0: a process of its own, else a
 * thread of that one. */
uint64_t fg_task(const char *comm, uint64_t leader, unsigned words, uint64_t **stack);
/* It is queued as a fair task of CPU 0, as if it had been preempted, until it sleeps. */
enum fg_class { FG_FAIR, FG_REAL_TIME, FG_EXT };
void fg_runs(uint64_t task, enum fg_class class, unsigned cpu);
void fg_sleeps(uint64_t task, enum fg_class class, unsigned cpu);
void fg_released(uint64_t task); /* the leader of one thread: it dies, and is on no list of tasks any more */
uint8_t *fg_queue(unsigned cpu, uint32_t offset); /* home frame of a byte of struct rq */
uint8_t *fg_object(uint64_t va);                  /* of a byte of what lies in the image or in the direct map */
void fg_task_on_cpu(uint64_t task, bool on_cpu);
/* A page of instruction slots, of cache 0 kprobes', 1 optimised ones'; returns where the guest keeps its address. */
uint64_t *fg_slots(unsigned cache, uint64_t page);
void fg_current(unsigned cpu, uint64_t task); /* that task has that CPU, as its queue says */
/* A CPU's interrupt stack, seven words in use above the one that links back; returns where they lie. end: its pointer
 * is the stack's end, as until 5.11. */
uint64_t fg_irq_stack(unsigned cpu, bool end, uint64_t link, uint64_t **words);
uint64_t fg_kprobe(uint64_t addr); /* register a kprobe at a run-time address; returns its node */
void fg_no_kprobes(uint64_t addr); /* none in its chain any more */

#endif
