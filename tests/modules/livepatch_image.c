// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's own livepatch of a function of its image: umask(2) gives an answer that nobody else gives. */
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>

#define KLP_MASK 0246

static long klp_umask(const struct pt_regs *regs) { return KLP_MASK; }

static struct klp_func funcs[] = {{.old_name = "__x64_sys_umask", .new_func = klp_umask}, {}};
static struct klp_object objects[] = {{.funcs = funcs}, {}};
static struct klp_patch patch = {.mod = THIS_MODULE, .objs = objects};

static int __init livepatch_init(void) { return klp_enable_patch(&patch); }
static void __exit livepatch_exit(void) {}

module_init(livepatch_init);
module_exit(livepatch_exit);
MODULE_DESCRIPTION("Newleaf's tests: a livepatch of the kernel's image");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
