// SPDX-License-Identifier: GPL-2.0-only
/* The part of the module victim: it writes in the book of the module gate, of which the leaf replaces nothing. */
#include <linux/errno.h>
#include <linux/percpu.h>

#include "../gate.h"
#include "../victim.h"

int victim_check(int index)
{
	victim_seen++;
	this_cpu_inc(victim_here);
	if (index < 0 || index >= VICTIM_MAX) {
		gate_say("body", -ERANGE);
		return -ERANGE;
	}
	return victim_table[index & 1](index);
}
