// SPDX-License-Identifier: Apache-2.0
/* What the walks over Linux's tasks share: tasks.c, held.c, hidden.c and queues.c alone include it. */
#pragma once

#include "guest/linux/linux.h"
#include "guest/target.h"

#define LIST_NEXT 0u /* struct list_head, struct hlist_node: next comes first */

struct walk {
	struct nl_kernel *k;
	const struct nl_leaf_target *t; /* k's */
	struct nl_scan *scan;
	enum nl_err (*visit)(const struct walk *w, uint64_t task); /* of each task; anything but NL_OK ends the walk */
	bool running; /* a CPU is held at CPL 0: a task that says it has one may not have it yet, or any more */
	bool counts;  /* tasks in replaced functions are counted: each task is visited once */
};

/* tasks.c. The words in [from, to); NL_AGAIN: one of them blocks. */
enum nl_err nl_linux_scan_words(const struct walk *w, uint64_t from, uint64_t to, uint32_t *old);
void nl_linux_name_task(const struct walk *w, uint64_t task); /* in the scan's blocker */
void nl_linux_count_old(struct nl_scan *scan, uint32_t old);
/* Visits the task that a per-CPU variable points to, on each CPU. */
enum nl_err nl_linux_visit_per_cpu(const struct walk *w, uint64_t symbol, uint32_t offset);

/* held.c. Where CPUs that are held at CPL 0 stand: NL_AGAIN, NL_ESTANDS; sets `running`. */
enum nl_err nl_linux_scan_held(struct walk *w);
bool nl_linux_has_cpu(uint64_t task); /* with `running`: its stack was read there */

/* hidden.c */
enum nl_err nl_linux_find_hidden(struct nl_kernel *k, struct nl_scan *scan);

/* A per-CPU variable. *va = 0: Linux does not think that CPU possible. */
bool nl_linux_per_cpu(const struct walk *w, uint32_t cpu, uint64_t symbol, uint64_t *va);

/*
 * Visits the tasks that wait in a run queue for a CPU, the running ones among them. *sound: those are all that could
 * have been preempted; else the queues and their own counts disagree, or the guest has tasks that wait elsewhere.
 */
enum nl_err nl_linux_visit_queues(const struct walk *w, bool *sound);
