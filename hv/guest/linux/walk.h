// SPDX-License-Identifier: Apache-2.0
/* What the walks over Linux's tasks share: tasks.c and queues.c alone include it. */
#pragma once

#include "guest/linux/linux.h"
#include "guest/target.h"

#define LIST_NEXT 0u /* struct list_head, struct hlist_node: next comes first */

struct walk {
	struct nl_kernel *k;
	const struct nl_leaf_target *t; /* k's */
	struct nl_scan *scan;
	enum nl_err (*visit)(const struct walk *w, uint64_t task); /* of each task; anything but NL_OK ends the walk */
	bool running;                                              /* also scan tasks that say they have a CPU */
	bool counts;     /* tasks in replaced functions are counted: each task is visited once */
	uint64_t sp;     /* for owns_stack: an address in the stack that is sought, */
	uint64_t *owner; /* and whose it is */
};

/* A per-CPU variable. *va = 0: Linux does not think that CPU possible. */
bool nl_linux_per_cpu(const struct walk *w, uint32_t cpu, uint64_t symbol, uint64_t *va);

/*
 * Visits the tasks that wait in a run queue for a CPU, the running ones among them. *sound: those are all that could
 * have been preempted; else the queues and their own counts disagree, or the guest has tasks that wait elsewhere.
 */
enum nl_err nl_linux_visit_queues(const struct walk *w, bool *sound);
