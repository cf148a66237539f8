// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest sees of a stop: a timer on each CPU, in interrupt context, and by how much the latest of them was
 * late. A stop of B is seen as a lateness between B - period and B.
 */
#include <linux/cpu.h>
#include <linux/hrtimer.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "bench.h"

static DEFINE_PER_CPU(struct hrtimer, timers);
static DEFINE_PER_CPU(s64, latest);
static ktime_t period;

static enum hrtimer_restart came(struct hrtimer *timer)
{
	s64 late = ktime_to_ns(ktime_sub(hrtimer_cb_get_time(timer), hrtimer_get_expires(timer)));

	if (late > __this_cpu_read(latest))
		__this_cpu_write(latest, late);
	hrtimer_forward_now(timer, period);
	return HRTIMER_RESTART;
}

static void start(void *unused)
{
	struct hrtimer *timer = this_cpu_ptr(&timers);

	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	timer->function = came;
	hrtimer_start(timer, period, HRTIMER_MODE_REL_PINNED_HARD);
}

long bench_timer(long ns)
{
	int cpu;

	if (period)
		for_each_online_cpu(cpu) hrtimer_cancel(per_cpu_ptr(&timers, cpu));
	period = ns;
	if (ns)
		on_each_cpu(start, NULL, 1);
	bench_late();
	return 0;
}

long bench_late(void)
{
	s64 worst = 0;
	int cpu;

	for_each_online_cpu(cpu)
	{
		s64 late = per_cpu(latest, cpu);

		worst = max(worst, late);
		per_cpu(latest, cpu) = 0;
	}
	return min_t(s64, worst, INT_MAX); /* an ioctl answers with an int: 2.1 s, or more */
}
