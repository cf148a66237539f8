// SPDX-License-Identifier: GPL-2.0-only
/* Body for hrtimer_nanosleep() of kernel/time/hrtimer.c: sleeps as long, and less exactly. */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/sched.h>

long hrtimer_nanosleep(ktime_t rqtp, const enum hrtimer_mode mode, const clockid_t clockid)
{
	return schedule_timeout_interruptible(nsecs_to_jiffies(ktime_to_ns(rqtp)) + 1) ? -EINTR : 0;
}
