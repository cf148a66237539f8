// SPDX-License-Identifier: GPL-2.0-only
/*
 * For how long stop_machine() with an empty function holds the CPUs, and how late a timer of each CPU is beside
 * anything else that holds them (tests/vm/test_hold.py). All figures are ticks of the TSC. Parameters:
 *
 *   stop   read: stops all CPUs once. A line for each: CPU, when its stopper got it, when the function ran there, when
 *          the stopper gave it back, and when `probe` was met there (0: it was not), all since the request
 *   probe  written: cli, sti or none. The instruction of the stopper that switches interrupts off, or on again, is met
 *          by a kprobe. The breakpoint costs more than the whole stop: what lies before it is as it is without
 *   timer  written: each CPU's timer comes every so many ns; 0: no more. Read: a line for each CPU, by how much the
 *          latest was late since the last reading
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kprobes.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/stop_machine.h>
#include <linux/tracepoint.h>

#include <asm/tsc.h>

#define SEARCHED 512 /* bytes of the stopper's function */

struct seen {
	u64 got, ran, gave, met;
	s64 late;
	struct hrtimer timer;
};

static DEFINE_PER_CPU(struct seen, seen);

/* -- the stop -- */

static struct tracepoint *switches;

/* A stopper is of a class of its own, with the highest priority there is; here nobody else has that meanwhile. */
static void switched(void *unused, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int state)
{
	u64 now = rdtsc();

	if (prev->prio && !next->prio)
		this_cpu_write(seen.got, now);
	if (!prev->prio && next->prio)
		this_cpu_write(seen.gave, now);
}

static int empty(void *unused)
{
	this_cpu_write(seen.ran, rdtsc());
	return 0;
}

static int stop(char *buffer, const struct kernel_param *unused)
{
	int cpu, n = 0, error;
	u64 begun;

	for_each_online_cpu(cpu)
	{
		struct seen *s = per_cpu_ptr(&seen, cpu);

		s->got = s->ran = s->gave = s->met = 0;
	}
	begun = rdtsc();
	error = stop_machine(empty, NULL, cpu_online_mask);
	if (error)
		return error;
	for_each_online_cpu(cpu)
	{
		struct seen *s = per_cpu_ptr(&seen, cpu);

		while (!READ_ONCE(s->gave)) /* the function has run there; the stopper is on its way to sleep */
			usleep_range(100, 1000);
		n += sysfs_emit_at(buffer, n, "%d %llu %llu %llu %llu\n", cpu, s->got - begun, s->ran - begun,
		                   s->gave - begun, s->met ? s->met - begun : 0);
	}
	return n;
}

/* -- where the stopper switches interrupts -- */

static struct kprobe probe;

static int meet(struct kprobe *unused, struct pt_regs *regs)
{
	this_cpu_write(seen.met, rdtsc());
	return 0;
}

/* With such a handler a kprobe stays a breakpoint: it costs the same wherever it is. */
static void go_on(struct kprobe *unused, struct pt_regs *regs, unsigned long flags) {}

/* The instruction in the place of a call: so boot writes what a hypervisor may want to do otherwise. */
static u8 *find(u8 *function, u8 opcode)
{
	const u8 code[] = {opcode, 0x0f, 0x1f, 0x44, 0x00, 0x00};
	int i;

	for (i = 0; i < SEARCHED; i++)
		if (!memcmp(function + i, code, sizeof(code)))
			return function + i;
	return NULL;
}

static int set_probe(const char *word, const struct kernel_param *unused)
{
	u8 opcode = sysfs_streq(word, "cli") ? 0xfa : sysfs_streq(word, "sti") ? 0xfb : 0;
	struct kprobe stopper = {.symbol_name = "multi_cpu_stop"};
	int error;

	if (probe.addr)
		unregister_kprobe(&probe);
	probe = (struct kprobe){.pre_handler = meet, .post_handler = go_on};
	if (!opcode)
		return sysfs_streq(word, "none") ? 0 : -EINVAL;
	error = register_kprobe(&stopper); /* finds it */
	if (error)
		return error;
	unregister_kprobe(&stopper);
	probe.addr = (kprobe_opcode_t *)find((u8 *)stopper.addr, opcode);
	error = probe.addr ? register_kprobe(&probe) : -ENOENT;
	if (error)
		probe.addr = NULL;
	return error;
}

/* -- the timer -- */

static ulong period; /* 0: there is none */

static enum hrtimer_restart came(struct hrtimer *timer)
{
	struct seen *s = this_cpu_ptr(&seen);
	s64 late = ktime_to_ns(ktime_sub(hrtimer_cb_get_time(timer), hrtimer_get_expires(timer)));

	s->late = max(s->late, late);
	hrtimer_forward_now(timer, period);
	return HRTIMER_RESTART;
}

static void start(void *unused)
{
	struct hrtimer *timer = this_cpu_ptr(&seen.timer);

	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	timer->function = came;
	hrtimer_start(timer, period, HRTIMER_MODE_REL_PINNED_HARD);
}

static int set_timer(const char *word, const struct kernel_param *unused)
{
	int cpu, error;

	if (period)
		for_each_online_cpu(cpu) hrtimer_cancel(per_cpu_ptr(&seen.timer, cpu));
	error = kstrtoul(word, 0, &period);
	if (error)
		period = 0;
	for_each_online_cpu(cpu) per_cpu(seen.late, cpu) = 0;
	if (period)
		on_each_cpu(start, NULL, 1);
	return error;
}

static int late(char *buffer, const struct kernel_param *unused)
{
	int cpu, n = 0;

	for_each_online_cpu(cpu)
	{
		n += sysfs_emit_at(buffer, n, "%d %llu\n", cpu,
		                   mul_u64_u32_div(per_cpu(seen.late, cpu), tsc_khz, 1000000));
		per_cpu(seen.late, cpu) = 0;
	}
	return n;
}

static const struct kernel_param_ops stop_ops = {.get = stop}, probe_ops = {.set = set_probe},
                                     timer_ops = {.get = late, .set = set_timer};
module_param_cb(stop, &stop_ops, NULL, 0400);
module_param_cb(probe, &probe_ops, NULL, 0200);
module_param_cb(timer, &timer_ops, NULL, 0600);

static void is_switches(struct tracepoint *t, void *unused)
{
	if (!strcmp(t->name, "sched_switch"))
		switches = t;
}

static int __init held_init(void)
{
	for_each_kernel_tracepoint(is_switches, NULL);
	return switches ? tracepoint_probe_register(switches, (void *)switched, NULL) : -ENOENT;
}

static void __exit held_exit(void)
{
	set_timer("0", NULL);
	set_probe("none", NULL);
	tracepoint_probe_unregister(switches, (void *)switched, NULL);
	tracepoint_synchronize_unregister();
}

module_init(held_init);
module_exit(held_exit);
MODULE_DESCRIPTION("Newleaf's tests: for how long CPUs are held");
MODULE_LICENSE("GPL");
