// SPDX-License-Identifier: GPL-2.0-only
/*
 * Body for prctl_set_auxv() of kernel/sys.c: takes the auxiliary vector of the calling process from user space and
 * stores all of it. Follows the fixed behaviour of Linux, of which it is a derived work.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/uaccess.h>

int prctl_set_auxv(struct mm_struct *mm, unsigned long addr, unsigned long len);

int prctl_set_auxv(struct mm_struct *mm, unsigned long addr, unsigned long len)
{
	unsigned long vector[AT_VECTOR_SIZE] = {0};

	BUILD_BUG_ON(sizeof(vector) != sizeof(mm->saved_auxv));
	if (len > sizeof(vector))
		return -EINVAL;
	if (copy_from_user(vector, (const void __user *)addr, len))
		return -EFAULT;

	/* Readers of /proc/PID/auxv stop at the first AT_NULL: there is always one. */
	vector[AT_VECTOR_SIZE - 2] = 0;
	vector[AT_VECTOR_SIZE - 1] = 0;

	task_lock(current);
	memcpy(mm->saved_auxv, vector, sizeof(vector));
	task_unlock(current);
	return 0;
}
