// SPDX-License-Identifier: GPL-2.0-only
/* The part of the module victim2: its body calls a function of the module victim. */
#include <linux/errno.h>

#include "../gate.h"
#include "../victim.h"

int victim2_check(int index);

int victim2_check(int index)
{
	gate_say("body2", -ERANGE);
	return victim_check(index);
}
