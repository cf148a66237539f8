// SPDX-License-Identifier: GPL-2.0-only
/*
 * Body for proc_timens_set_offset() of kernel/time/namespace.c: checks all offsets that were written to timens_offsets,
 * then stores them. Follows the fixed behaviour of Linux, of which it is a derived work.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/proc_ns.h>
#include <linux/sched.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>

/* Both are static in the kernel; found by their names. */
extern struct ns_common *timens_for_children_get(struct task_struct *task);
extern struct mutex offset_lock;

static struct timespec64 *place_of(struct time_namespace *ns, int clockid)
{
	switch (clockid) {
	case CLOCK_MONOTONIC:
		return &ns->offsets.monotonic;
	case CLOCK_BOOTTIME:
		return &ns->offsets.boottime;
	}
	return NULL;
}

static int check(const struct proc_timens_offset *o)
{
	struct timespec64 now;

	if (o->clockid == CLOCK_MONOTONIC)
		ktime_get_ts64(&now);
	else if (o->clockid == CLOCK_BOOTTIME)
		ktime_get_boottime_ts64(&now);
	else
		return -EINVAL;
	if (o->val.tv_sec > KTIME_SEC_MAX || o->val.tv_sec < -KTIME_SEC_MAX)
		return -ERANGE;
	if (o->val.tv_nsec < 0 || o->val.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	now = timespec64_add(now, o->val);
	/* Half of the range, so that the clock cannot reach its end within any uptime. */
	return now.tv_sec < 0 || now.tv_sec > KTIME_SEC_MAX / 2 ? -ERANGE : 0;
}

int proc_timens_set_offset(struct file *file, struct task_struct *p, struct proc_timens_offset *offsets, int n)
{
	struct ns_common *common = timens_for_children_get(p);
	struct time_namespace *ns;
	int i, err = 0;

	if (!common)
		return -ESRCH;
	ns = container_of(common, struct time_namespace, ns);
	if (!file_ns_capable(file, ns->user_ns, CAP_SYS_TIME))
		err = -EPERM;
	for (i = 0; i < n && !err; i++)
		err = check(&offsets[i]);
	if (!err) {
		mutex_lock(&offset_lock);
		if (ns->frozen_offsets)
			err = -EACCES;
		for (i = 0; i < n && !err; i++)
			*place_of(ns, offsets[i].clockid) = offsets[i].val;
		mutex_unlock(&offset_lock);
	}
	put_time_ns(ns);
	return err;
}
