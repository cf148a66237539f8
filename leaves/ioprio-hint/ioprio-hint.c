// SPDX-License-Identifier: GPL-2.0-only
/*
 * Body for ioprio_check_cap() of block/ioprio.c: may this caller ask for this I/O priority? Follows the fixed behaviour
 * of Linux, of which it is a derived work.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/ioprio.h>

#define LEVEL_MASK 7 /* the class has 3 bits above, the hints have the 10 bits between */

int ioprio_check_cap(int ioprio);

int ioprio_check_cap(int ioprio)
{
	switch (IOPRIO_PRIO_CLASS(ioprio)) {
	case IOPRIO_CLASS_RT:
		/* CAP_SYS_ADMIN first: asking for the other one may be logged as a denial. */
		return capable(CAP_SYS_ADMIN) || capable(CAP_SYS_NICE) ? 0 : -EPERM;
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return ioprio & LEVEL_MASK ? -EINVAL : 0;
	}
	return -EINVAL;
}
