// SPDX-License-Identifier: Apache-2.0
/*
 * Who stands where in the guest's kernel: saved stacks of all tasks that do not run, stacks of halted CPUs, and
 * registered kprobes. Raw guest memory, with the offsets that the leaf's author took from the target's type
 * information; every walk is bounded.
 */
#ifndef HV_TASKS_H
#define HV_TASKS_H

#include "guest/guestmem.h"
#include <newleaf/hypercall.h>

struct nl_watch { /* run-time addresses */
	uint64_t start, end;
	uint32_t leaf; /* index in the registry */
	bool site; /* bytes that will be written: nobody may stand strictly inside. false: a replaced function, counted
	            */
	bool strict; /* a replaced function in which nobody may stand either */
};

struct nl_scan {
	const struct nl_watch *watches;
	uint32_t n;
	uint64_t low, high; /* all watches lie in [low, high] */
	/* results */
	uint64_t until; /* TSC when a walk gives up with NL_AGAIN; 0 = never */
	uint32_t scanned, old_tasks;
	uint32_t old_by_leaf[NL_MAX_LEAVES];
	struct nl_blocker blocker;
};

void nl_scan_init(struct nl_scan *scan, const struct nl_watch *watches, uint32_t n);

/*
 * All CPUs held. Conservative: any word between a saved stack pointer and the top of its stack counts as a return
 * address. NL_AGAIN: somebody is in the way, the blocker names him. NL_EKERNEL: the guest's lists are not what the leaf
 * says; the blocker names the task if there is one.
 */
enum nl_err nl_tasks_scan(struct nl_guest *space, const struct nl_leaf_target *t, uint64_t slide, struct nl_scan *scan);

/*
 * Whose stack is it? Fills pid and comm, or leaves them zero. The guest runs meanwhile, so that the lists may change
 * under the walk: good for a message and nothing else.
 */
void nl_tasks_name(struct nl_guest *space, const struct nl_leaf_target *t, uint64_t slide, uint64_t sp,
                   struct nl_blocker *blocker);

/* NL_EPROBED: a kprobe, armed or not, is registered inside a watched site. */
enum nl_err nl_probes_check(struct nl_guest *space, const struct nl_leaf_target *t, uint64_t slide,
                            struct nl_scan *scan);

#endif
