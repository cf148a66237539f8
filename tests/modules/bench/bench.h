/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions that are patched, and what programs may ask of the module bench. An answer holds the version of
 * bench_outer() in its low byte and that of bench_inner() in the next: a patch changes both, so unequal bytes are an
 * invariant that broke. Shared with tests/bench/work.c.
 */
#ifndef NEWLEAF_BENCH_H
#define NEWLEAF_BENCH_H

#define BENCH_OLD 1
#define BENCH_NEW 2

#define BENCH_PASS 0x4e01    /* outer(nap in us): outer's version | inner's << 8 */
#define BENCH_PAIR 0x4e02    /* inner, a nap, inner, called from what no patch replaces: first | second << 8 */
#define BENCH_NAPPING 0x4e03 /* how many tasks are asleep in outer */
#define BENCH_TIMER 0x4e04   /* one timer on each CPU with this period in ns; 0: stop them */
#define BENCH_LATE 0x4e05    /* by how many ns the latest of them came, at most; forgets it */
#define BENCH_STOP 0x4e06    /* stop_machine() with an empty function */
#define BENCH_FTRACE 0x4e07  /* 1: ftrace leads calls to the new functions; 0: no more */
#define BENCH_KPROBE 0x4e08  /* the same by two kprobes */
#define BENCH_KPATCH \
	0x4e09 /* the same by ftrace, switched in stop_machine() if no stack has the old ones: else EAGAIN */
#define BENCH_HURRY 0x4e0a  /* let livepatch look again now, if it waits for its timer */
#define BENCH_THREAD 0x4e0b /* 1: a kernel thread falls asleep in outer; 0: it is woken and ends */
#define BENCH_SPIN 0x4e0c   /* a kernel thread on the last CPU is busy for so many ms, and gives the CPU to nobody */

#ifdef __KERNEL__
int bench_inner(int index);
int bench_outer(int nap);
void bench_nap(int us);
int bench_new_inner(int index);
int bench_new_outer(int nap);
int bench_napping(void);
long bench_timer(long period);
long bench_late(void);
long bench_stop(void);
long bench_ftrace(bool on);
long bench_kprobe(bool on);
long bench_kpatch(bool on);
long bench_hurry(void);
long bench_thread(bool on);
long bench_spin(int ms);
int bench_find(void);
extern int bench_calls;
#endif
#endif
