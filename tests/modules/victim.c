// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module with a bug: victim_check() and victim_early() answer 0 to whatever they are asked, and should refuse an
 * index that is too large. Everything of a module that runs asks: a parameter's handler, the initialiser, code that is
 * dropped after it, whoever reads a parameter, a second module, the end, and work that is still queued then. The
 * function uses all kinds of data that a module has, and counts in two of them, so that one that counts elsewhere
 * shows.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>

#include "gate.h"
#include "victim.h"

int victim_seen;
DEFINE_PER_CPU(int, victim_here);

static noinline int victim_even(int index) { return index & 1; }
static noinline int victim_odd(int index) { return !(index & 1); }
int (*const victim_table[2])(int) = {victim_even, victim_odd};

#ifdef OTHER_BUILD
static noinline int victim_other(int index) { return index * 7 + victim_seen; }
module_param_named(other, victim_seen, int, 0444);
#endif

__attribute__((noipa)) int victim_check(int index)
{
	victim_seen++;
	this_cpu_inc(victim_here);
#ifdef OTHER_BUILD
	if (index == -4711)
		return victim_other(index);
#endif
	if (index == ASLEEP)
		gate_pass("check");
	return victim_table[index & 1](index);
}
EXPORT_SYMBOL_GPL(victim_check);

static __attribute__((noipa)) int __init victim_early(int index)
{
	victim_seen++;
	this_cpu_inc(victim_here);
	return victim_table[index & 1](index);
}

static void victim_work(struct work_struct *work)
{
	gate_say("work", victim_check(TOO_FAR));
	gate_pass("work");
	gate_say("work-late", victim_check(TOO_FAR));
}
static DECLARE_WORK(work, victim_work);

static int set_tell(const char *value, const struct kernel_param *p)
{
	gate_pass("parameter");
	gate_say("parameter", victim_check(TOO_FAR));
	return 0;
}

/* One use more, which nobody ever gives back. */
static int set_keep(const char *value, const struct kernel_param *p)
{
	__module_get(THIS_MODULE);
	return 0;
}

static int get_ask(char *page, const struct kernel_param *p)
{
	int answer = victim_check(TOO_FAR);

	return scnprintf(page, PAGE_SIZE, "%s\n",
	                 !answer                ? "VULNERABLE"
	                 : answer == -ERANGE    ? "FIXED"
	                 : answer == KLP_ANSWER ? "LIVEPATCHED"
	                                        : "WRONG");
}

static int get_sleep(char *page, const struct kernel_param *p)
{
	return scnprintf(page, PAGE_SIZE, "%d\n", victim_check(ASLEEP));
}

static int get_counts(char *page, const struct kernel_param *p)
{
	int cpu, here = 0;

	for_each_possible_cpu(cpu) here += per_cpu(victim_here, cpu);
	return scnprintf(page, PAGE_SIZE, "%d %d\n", victim_seen, here);
}

static const struct kernel_param_ops tell_ops = {.set = set_tell}, keep_ops = {.set = set_keep};
static const struct kernel_param_ops ask_ops = {.get = get_ask};
static const struct kernel_param_ops sleep_ops = {.get = get_sleep}, counts_ops = {.get = get_counts};
module_param_cb(tell, &tell_ops, NULL, 0200);
module_param_cb(keep, &keep_ops, NULL, 0200);
module_param_cb(ask, &ask_ops, NULL, 0444);
module_param_cb(sleep, &sleep_ops, NULL, 0444);
module_param_cb(counts, &counts_ops, NULL, 0444);

static int __init victim_init(void)
{
	gate_say("early", victim_early(TOO_FAR));
	gate_pass("initialiser");
	gate_say("initialiser", victim_check(TOO_FAR));
	return 0;
}

static void __exit victim_exit(void)
{
	schedule_work(&work);
	gate_pass("exit");
	gate_say("exit", victim_check(TOO_FAR));
	flush_work(&work);
}

module_init(victim_init);
module_exit(victim_exit);
MODULE_DESCRIPTION("Newleaf's tests: a module with a bug");
MODULE_LICENSE("GPL");
