// SPDX-License-Identifier: GPL-2.0-only
/* Stops all CPUs again and again, as long as it is loaded, and counts how often. */
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/stop_machine.h>

static ulong stops;
module_param(stops, ulong, 0444);
MODULE_PARM_DESC(stops, "how often all CPUs were stopped");

static struct task_struct *thread;

static int nothing(void *unused) { return 0; }

static int stop_them(void *unused)
{
	while (!kthread_should_stop()) {
		if (stop_machine(nothing, NULL, cpu_online_mask))
			break;
		stops++;
		cond_resched();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int __init stopper_init(void)
{
	thread = kthread_run(stop_them, NULL, "stopper");
	return PTR_ERR_OR_ZERO(thread);
}

static void __exit stopper_exit(void) { kthread_stop(thread); }

module_init(stopper_init);
module_exit(stopper_exit);
MODULE_DESCRIPTION("Newleaf's tests: stop_machine() in a loop");
MODULE_LICENSE("GPL");
