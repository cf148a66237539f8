// SPDX-License-Identifier: GPL-2.0-only
/* A module that uses the one with the bug, and has a bug of the same kind of its own. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "gate.h"
#include "victim.h"

static __attribute__((noipa)) int victim2_check(int index) { return index < 0 ? -EINVAL : victim_check(index); }

static int get_ask(char *page, const struct kernel_param *p)
{
	int answer = victim2_check(TOO_FAR);

	return scnprintf(page, PAGE_SIZE, "%s\n", !answer ? "VULNERABLE" : answer == -ERANGE ? "FIXED" : "WRONG");
}

static const struct kernel_param_ops ask_ops = {.get = get_ask};
module_param_cb(ask, &ask_ops, NULL, 0444);

static int __init victim2_init(void)
{
	gate_say("second", victim2_check(TOO_FAR));
	return 0;
}

static void __exit victim2_exit(void) { gate_say("second-exit", victim2_check(TOO_FAR)); }

module_init(victim2_init);
module_exit(victim2_exit);
MODULE_DESCRIPTION("Newleaf's tests: a module that uses one with a bug");
MODULE_LICENSE("GPL");
