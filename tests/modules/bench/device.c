// SPDX-License-Identifier: GPL-2.0-only
/* /dev/bench: an ioctl for each thing that bench.h names. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "bench.h"

static long pair(int nap)
{
	int first = bench_inner(0);

	bench_nap(nap);
	return first | bench_inner(1) << 8;
}

static long bench_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	switch (command) {
	case BENCH_PASS:
		return bench_outer(argument);
	case BENCH_PAIR:
		return pair(argument);
	case BENCH_NAPPING:
		return bench_napping();
	case BENCH_TIMER:
		return bench_timer(argument);
	case BENCH_LATE:
		return bench_late();
	case BENCH_STOP:
		return bench_stop();
	case BENCH_FTRACE:
		return bench_ftrace(argument);
	case BENCH_KPROBE:
		return bench_kprobe(argument);
	case BENCH_KPATCH:
		return bench_kpatch(argument);
	case BENCH_HURRY:
		return bench_hurry();
	case BENCH_THREAD:
		return bench_thread(argument);
	case BENCH_SPIN:
		return bench_spin(argument);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations operations = {.owner = THIS_MODULE, .unlocked_ioctl = bench_ioctl};
static struct miscdevice device = {.minor = MISC_DYNAMIC_MINOR, .name = "bench", .fops = &operations};

static int __init bench_init(void)
{
	int error = bench_find();

	return error ?: misc_register(&device);
}

static void __exit bench_exit(void)
{
	bench_timer(0);
	misc_deregister(&device);
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Newleaf's tests: what ways to patch are compared on");
MODULE_LICENSE("GPL");
