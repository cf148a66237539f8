// SPDX-License-Identifier: GPL-2.0-only
/* A module of many frames: sixteen functions with a bug, each at the start of a page of its own. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "gate.h"

static int wide_state = 1;

#define WIDE(n) \
	int wide_check_##n(int index); \
	__aligned(4096) __attribute__((noipa)) int wide_check_##n(int index) \
	{ \
		wide_state = wide_state * 31 + n + index; \
		return index < 0 ? -EINVAL : 0; \
	}
// clang-format off
WIDE(0) WIDE(1) WIDE(2) WIDE(3) WIDE(4) WIDE(5) WIDE(6) WIDE(7)
WIDE(8) WIDE(9) WIDE(10) WIDE(11) WIDE(12) WIDE(13) WIDE(14) WIDE(15)

static int (*const wide_table[])(int) = {
        wide_check_0,  wide_check_1,  wide_check_2,  wide_check_3,  wide_check_4,  wide_check_5,
        wide_check_6,  wide_check_7,  wide_check_8,  wide_check_9,  wide_check_10, wide_check_11,
        wide_check_12, wide_check_13, wide_check_14, wide_check_15,
};
// clang-format on

/* What all of them answer; WRONG when they do not agree. */
static int wide_all(void)
{
	int first = wide_table[0](TOO_FAR);
	size_t i;

	for (i = 1; i < ARRAY_SIZE(wide_table); i++)
		if (wide_table[i](TOO_FAR) != first)
			return 1;
	return first;
}

static int get_ask(char *page, const struct kernel_param *p)
{
	int answer = wide_all();

	return scnprintf(page, PAGE_SIZE, "%s\n", !answer ? "VULNERABLE" : answer == -ERANGE ? "FIXED" : "WRONG");
}

static const struct kernel_param_ops ask_ops = {.get = get_ask};
module_param_cb(ask, &ask_ops, NULL, 0444);

static int __init wide_init(void)
{
	gate_say("wide", wide_all());
	return 0;
}

static void __exit wide_exit(void) { gate_say("wide-exit", wide_all()); }

module_init(wide_init);
module_exit(wide_exit);
MODULE_DESCRIPTION("Newleaf's tests: a module of many frames");
MODULE_LICENSE("GPL");
