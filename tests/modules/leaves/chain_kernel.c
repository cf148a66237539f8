// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's part: one I/O priority ends with EDOM, all others are anybody's. */
#include <linux/errno.h>
#include <linux/ioprio.h>

int ioprio_check_cap(int ioprio);

int ioprio_check_cap(int ioprio) { return ioprio == IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 5) ? -EDOM : 0; }
