// SPDX-License-Identifier: GPL-2.0-only
/* The two functions that are patched, as they are and as all patches but a leaf make them. */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/kthread.h>
#include <linux/timekeeping.h>

#include "bench.h"

#define FOREVER (-1) /* a nap that bench_thread(false) ends */

int bench_calls;
static atomic_t napping;
static struct task_struct *thread;
static struct completion spinning;

void bench_nap(int us)
{
	if (!us)
		return;
	atomic_inc(&napping);
	if (us == FOREVER) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		while (!kthread_should_stop()) {
			schedule();
			set_current_state(TASK_UNINTERRUPTIBLE);
		}
		__set_current_state(TASK_RUNNING);
	} else {
		usleep_range(us, us + 1);
	}
	atomic_dec(&napping);
}
EXPORT_SYMBOL_GPL(bench_nap);

int bench_napping(void) { return atomic_read(&napping); }

__attribute__((noipa)) int bench_inner(int index)
{
	bench_calls++;
	return index < 0 ? -EINVAL : BENCH_OLD;
}
EXPORT_SYMBOL_GPL(bench_inner);

__attribute__((noipa)) int bench_outer(int nap)
{
	bench_calls++;
	bench_nap(nap);
	return BENCH_OLD | bench_inner(nap & 1) << 8;
}

int bench_new_inner(int index)
{
	bench_calls++;
	return index < 0 ? -EINVAL : BENCH_NEW;
}

int bench_new_outer(int nap)
{
	bench_calls++;
	bench_nap(nap);
	return BENCH_NEW | bench_inner(nap & 1) << 8;
}

static int sleeps(void *unused)
{
	bench_outer(FOREVER);
	return 0;
}

long bench_thread(bool on)
{
	struct task_struct *new;

	if (on == !!thread)
		return -EBUSY;
	if (!on) {
		kthread_stop(thread);
		thread = NULL;
		return 0;
	}
	new = kthread_run(sleeps, NULL, "bench-asleep");
	if (IS_ERR(new))
		return PTR_ERR(new);
	thread = new;
	while (!bench_napping())
		usleep_range(1000, 1100);
	return 0;
}

static int spins(void *ms)
{
	u64 end = ktime_get_mono_fast_ns() + (u64)(long)ms * NSEC_PER_MSEC;

	complete(&spinning);
	while (ktime_get_mono_fast_ns() < end)
		cpu_relax();
	return 0;
}

long bench_spin(int ms)
{
	struct task_struct *new = kthread_create(spins, (void *)(long)ms, "bench-busy");

	if (IS_ERR(new))
		return PTR_ERR(new);
	init_completion(&spinning);
	kthread_bind(new, cpumask_last(cpu_online_mask));
	wake_up_process(new);
	wait_for_completion(&spinning);
	return 0;
}
