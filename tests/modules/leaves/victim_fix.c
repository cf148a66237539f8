// SPDX-License-Identifier: GPL-2.0-only
/* The functions of the module victim as they should be. They count where the module counts, and in a datum of theirs.
 */
#include <linux/errno.h>
#include <linux/percpu.h>

#include "../victim.h"

static int refused;

int victim_check(int index)
{
	victim_seen++;
	this_cpu_inc(victim_here);
	if (index < 0 || index >= VICTIM_MAX) {
		refused++;
		return refused > 0 ? -ERANGE : -EIO;
	}
	return victim_table[index & 1](index);
}

int victim_early(int index);

int victim_early(int index)
{
	victim_seen++;
	this_cpu_inc(victim_here);
	if (index < 0 || index >= VICTIM_MAX)
		return -ERANGE;
	return victim_table[index & 1](index);
}
