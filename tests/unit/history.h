// SPDX-License-Identifier: Apache-2.0
/*
 * A fake memory for page tables that knows its history: it counts what is allocated, fails an allocation on demand, and
 * calls a hook after every single write to a table, whatever instruction made it (the pages are write-protected and the
 * writer is single-stepped).
 */
#ifndef TESTS_UNIT_HISTORY_H
#define TESTS_UNIT_HISTORY_H

#include "core/pool.h"
#include "view/npt.h"

#define HISTORY_PAGES 4096
#define HISTORY_BASE \
	0x1230000000ULL /* where the fake memory lies in the host-physical space; no address of it is an identity of a \
	                   test */

void history_reset(void); /* all pages free, no watch, allocations succeed */
struct nl_table_ops history_ops(void);
size_t history_used(void); /* pages allocated now */
void history_reuse_at_once(
        bool at_once); /* hand out the lowest free page: one just released comes back soon; else go round */
void history_fail_after(int allocations); /* so many more succeed; -1: all */
bool history_is_table(hpa_t table);       /* one that is allocated */
uint64_t *history_map(hpa_t table);

/* From now on `wrote` is called after each instruction that wrote to a table; `table` and `entry` say where.
 * history_unwatch: no more. */
void history_watch(void (*wrote)(hpa_t table, unsigned entry));
void history_unwatch(void);
size_t history_writes(void); /* calls of the hook since history_watch */

/* Did the instruction just seen change more than one entry? Valid inside the hook. */
bool history_tore(void);

#endif
