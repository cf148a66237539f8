// SPDX-License-Identifier: GPL-2.0-only
/*
 * Body for ioprio_check_cap() of block/ioprio.c, whose answer for one priority shows that locks, memory, per-CPU
 * variables, indirect calls, the stack's canary, static keys, access to user memory and printk work in a body.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/ioprio.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/smt.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define SHOWN IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 5)

static DEFINE_SPINLOCK(lock);
static DEFINE_MUTEX(line_mutex);
static int count;

static noinline int twice(int x) { return 2 * x; }
static noinline int thrice(int x) { return 3 * x; }
static int (*volatile const functions[])(int) = {twice, thrice};

/* 0, or the number of what does not work. */
static noinline int try_locks(void)
{
	unsigned long flags;

	mutex_lock(&line_mutex);
	spin_lock_irqsave(&lock, flags);
	count++;
	spin_unlock_irqrestore(&lock, flags);
	spin_lock(&lock);
	count++;
	spin_unlock(&lock);
	mutex_unlock(&line_mutex);
	return irqs_disabled() ? 1 : 0;
}

static noinline int try_calls(void) { return functions[count & 1 ? 1 : 0](7) + functions[1](7) == 14 + 21 ? 0 : 2; }

static noinline int try_memory(void)
{
	char text[64], *copy;
	int good;

	snprintf(text, sizeof(text), "%s of CPU %d", current->comm, raw_smp_processor_id());
	copy = kmalloc(sizeof(text), GFP_KERNEL);
	if (!copy)
		return 3;
	memcpy(copy, text, sizeof(text));
	rcu_read_lock();
	good = !strcmp(copy, text) && current->mm;
	rcu_read_unlock();
	kfree(copy);
	return good ? 0 : 4;
}

static noinline int try_user(void)
{
	char __user *argument = (char __user *)current->mm->arg_start;
	char first;

	if (!access_ok(argument, 1) || access_ok((char __user *)-4096L, 1))
		return 5;
	return get_user(first, argument) || copy_from_user(&first, argument, 1) || !first ? 6 : 0;
}

int ioprio_check_cap(int ioprio);

int ioprio_check_cap(int ioprio)
{
	int wrong;

	WARN_ON(ioprio < 0);
	WARN_ON_ONCE(ioprio < 0);
	if (WARN_ONCE(ioprio < 0, "%d\n", ioprio) || WARN(ioprio < 0, "%d\n", ioprio))
		return -EINVAL;
	BUG_ON(ioprio < 0);
	if (ioprio != SHOWN)
		return 0;
	wrong = try_locks();
	wrong = wrong ? wrong : try_calls();
	wrong = wrong ? wrong : try_memory();
	wrong = wrong ? wrong : try_user();
	if (!wrong && static_branch_unlikely(&sched_smt_present) && !capable(CAP_SYS_ADMIN))
		wrong = 7;
	pr_info("test-line: %d wrong, %d times\n", wrong, count / 2);
	return wrong ? -EINVAL : -EDOM;
}
