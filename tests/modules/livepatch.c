// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's own livepatch of the module with the bug: it gives an answer that nobody else gives. */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>

#include "gate.h"

static int klp_check(int index) { return index > 15 ? KLP_ANSWER : 0; }

static struct klp_func funcs[] = {{.old_name = "victim_check", .new_func = klp_check}, {}};
static struct klp_object objects[] = {{.name = "victim", .funcs = funcs}, {}};
static struct klp_patch patch = {.mod = THIS_MODULE, .objs = objects};

static int __init livepatch_init(void) { return klp_enable_patch(&patch); }
static void __exit livepatch_exit(void) {}

module_init(livepatch_init);
module_exit(livepatch_exit);
MODULE_DESCRIPTION("Newleaf's tests: a livepatch of a module with a bug");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
