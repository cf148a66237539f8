// SPDX-License-Identifier: Apache-2.0
/*
 * The whole of a test as it is at a moment: what the program and the code under test have in static memory, and ranges
 * that the test names. Only pages that were seen to change are kept; the others are compared when all is done.
 */
#ifndef TESTS_UNIT_SNAPSHOT_H
#define TESTS_UNIT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#define SNAPSHOTS 64

void snapshot_start(void);                  /* the static memory of the program, and no range yet */
void snapshot_range(void *at, size_t size); /* whole pages */
void snapshot_base(void);                   /* from now on: what changes from here */
void snapshot_learn(void);                  /* look what has changed since */
void snapshot_rewind(void);                 /* all as it was at snapshot_base; no snapshot is left */
void snapshot_take(unsigned n);             /* numbers below SNAPSHOTS */
void snapshot_restore(unsigned n);
size_t snapshot_pages(void);      /* how many are kept */
bool snapshot_was_complete(void); /* no other page has changed since snapshot_base */
void snapshot_stop(void);

#endif
