// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's own livepatch of the two functions of the module bench. */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>

#include "bench.h"

static int klp_calls;

static int klp_inner(int index)
{
	klp_calls++;
	return index < 0 ? -EINVAL : BENCH_NEW;
}

static int klp_outer(int nap)
{
	klp_calls++;
	bench_nap(nap);
	return BENCH_NEW | bench_inner(nap & 1) << 8;
}

static struct klp_func funcs[] = {
        {.old_name = "bench_inner", .new_func = klp_inner}, {.old_name = "bench_outer", .new_func = klp_outer}, {}};
static struct klp_object objects[] = {{.name = "bench", .funcs = funcs}, {}};
static struct klp_patch patch = {.mod = THIS_MODULE, .objs = objects};

static int __init livepatch_init(void) { return klp_enable_patch(&patch); }
static void __exit livepatch_exit(void) {}

module_init(livepatch_init);
module_exit(livepatch_exit);
MODULE_DESCRIPTION("Newleaf's tests: a livepatch of the module bench");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
