// SPDX-License-Identifier: GPL-2.0-only
/* A module that does not come in, after it was patched: its parameter's handler fails, or else its initialiser. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "gate.h"

static __attribute__((noipa)) int failing_check(int index) { return index < 0 ? -EINVAL : 0; }

static int set_refuse(const char *value, const struct kernel_param *p)
{
	gate_say("failing-parameter", failing_check(TOO_FAR));
	return -EINVAL;
}

static const struct kernel_param_ops refuse_ops = {.set = set_refuse};
module_param_cb(refuse, &refuse_ops, NULL, 0200);

static int __init failing_init(void)
{
	gate_pass("failing");
	gate_say("failing", failing_check(TOO_FAR));
	return -ENODEV;
}

static void __exit failing_exit(void) {}

module_init(failing_init);
module_exit(failing_exit);
MODULE_DESCRIPTION("Newleaf's tests: a module that does not come in");
MODULE_LICENSE("GPL");
