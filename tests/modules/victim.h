/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module victim has, for the module that uses it and for the bodies of leaves. */
#ifndef NEWLEAF_TEST_VICTIM_H
#define NEWLEAF_TEST_VICTIM_H

#include <linux/percpu-defs.h>

#define ASLEEP 6 /* the index at which victim_check() waits at its gate */
#define VICTIM_MAX 16

extern int victim_seen;
DECLARE_PER_CPU(int, victim_here);
extern int (*const victim_table[2])(int);
int victim_check(int index);

#endif
