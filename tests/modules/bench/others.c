// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other ways to change a function: ftrace, kprobes, and a stop of all CPUs in which every stack is looked at and
 * calls are switched over only if the old functions are on none. Functions that the kernel does not export are looked
 * up, since all this is for tests.
 */
#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/sched/signal.h>
#include <linux/stop_machine.h>
#include <linux/workqueue.h>

#include "bench.h"

#define FRAMES 128

static int (*stack_of)(struct task_struct *task, unsigned long *store, unsigned int size);
static struct delayed_work *livepatch_work;
static unsigned long outer_size, inner_size;
static bool led; /* are calls led to the new functions? */

static unsigned long lookup(const char *name)
{
	static unsigned long (*find)(const char *name);
	struct kprobe probe = {.symbol_name = "kallsyms_lookup_name"};

	if (!find && register_kprobe(&probe) == 0) {
		find = (void *)probe.addr;
		unregister_kprobe(&probe);
	}
	return find ? find(name) : 0;
}

int bench_find(void)
{
	int (*size_of)(unsigned long address, unsigned long *size, unsigned long *offset);
	unsigned long offset;

	stack_of = (void *)lookup("stack_trace_save_tsk_reliable");
	livepatch_work = (void *)lookup("klp_transition_work");
	size_of = (void *)lookup("kallsyms_lookup_size_offset");
	if (!stack_of || !livepatch_work || !size_of)
		return -ENOENT;
	size_of((unsigned long)bench_outer, &outer_size, &offset);
	size_of((unsigned long)bench_inner, &inner_size, &offset);
	return outer_size && inner_size ? 0 : -ENOENT;
}

/* -- ftrace -- */

static void notrace lead(unsigned long ip, unsigned long parent, struct ftrace_ops *ops, struct ftrace_regs *regs)
{
	if (!READ_ONCE(led))
		return;
	ftrace_instruction_pointer_set(
	        regs,
	        (unsigned long)(ip - (unsigned long)bench_outer < outer_size ? bench_new_outer : bench_new_inner));
}

static struct ftrace_ops ops = {.func = lead, .flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY};

static long hook(void)
{
	static bool named;
	int error = 0;

	if (!named)
		error = ftrace_set_filter_ip(&ops, (unsigned long)bench_outer, 0, 0)
		                ?: ftrace_set_filter_ip(&ops, (unsigned long)bench_inner, 0, 0);
	named = !error;
	return error ?: register_ftrace_function(&ops);
}

static long unhook(void)
{
	int error = unregister_ftrace_function(&ops);

	led = false;
	return error;
}

long bench_ftrace(bool on)
{
	if (!on)
		return unhook();
	led = true;
	return hook();
}

/* -- kprobes -- */

static int to_outer(struct kprobe *probe, struct pt_regs *regs)
{
	regs->ip = (unsigned long)bench_new_outer;
	return 1;
}

static int to_inner(struct kprobe *probe, struct pt_regs *regs)
{
	regs->ip = (unsigned long)bench_new_inner;
	return 1;
}
NOKPROBE_SYMBOL(to_outer);
NOKPROBE_SYMBOL(to_inner);

long bench_kprobe(bool on)
{
	static struct kprobe outer, inner;
	static struct kprobe *both[] = {&outer, &inner};

	if (!on) {
		unregister_kprobes(both, 2);
		return 0;
	}
	outer = (struct kprobe){.addr = (void *)bench_outer, .pre_handler = to_outer};
	inner = (struct kprobe){.addr = (void *)bench_inner, .pre_handler = to_inner};
	return register_kprobes(both, 2);
}

/* -- a stop of all CPUs -- */

static int nothing(void *unused) { return 0; }

long bench_stop(void) { return stop_machine(nothing, NULL, cpu_online_mask); }

static bool is_inside(struct task_struct *task)
{
	static unsigned long frames[FRAMES];
	int n = stack_of(task, frames, FRAMES), i;

	if (n < 0)
		return true; /* not to be told: it could be */
	for (i = 0; i < n; i++)
		if (frames[i] - (unsigned long)bench_outer < outer_size ||
		    frames[i] - (unsigned long)bench_inner < inner_size)
			return true;
	return false;
}

/* All CPUs run nothing but this, so the stacks of all other tasks stand still. */
static int check_and_switch(void *on)
{
	struct task_struct *process, *task;

	for_each_process_thread(process, task) if (!task->on_cpu && is_inside(task)) return -EAGAIN;
	led = on;
	return 0;
}

/*
 * The first time, calls are hooked: without any effect. When it could not be switched they stay so for the next try. To
 * take away what was never switched on nobody's stack matters.
 */
long bench_kpatch(bool on)
{
	long error = 0;

	if (!on && !led)
		return unhook();
	if (on && !(ops.flags & FTRACE_OPS_FL_ENABLED))
		error = hook();
	error = error ?: stop_machine(check_and_switch, (void *)(long)on, NULL);
	return error || on ? error : unhook();
}

/* -- livepatch -- */

long bench_hurry(void)
{
	return delayed_work_pending(livepatch_work) && mod_delayed_work(system_wq, livepatch_work, 0);
}
