// SPDX-License-Identifier: Apache-2.0
/*
 * Included before every body. A body is code that the kernel's boot-time patching never saw, so what is normally
 * patched in place (static keys, CPU features, the size of user space) is asked for at run time instead, and what is
 * found by tables is done by calls.
 */
#ifndef NEWLEAF_PRELUDE_H
#define NEWLEAF_PRELUDE_H

struct jump_entry;
struct static_key;
#include <asm/jump_label.h>
/* A key's branch is taken when "enabled" differs from what the source calls the likely case (kernel/jump_label.c,
 * jump_label_type). */
#define arch_static_branch(key, branch) ((*(const volatile int *)&(key)->enabled.counter > 0) ^ (branch))
#define arch_static_branch_jump(key, branch) arch_static_branch(key, branch)

#include <asm/bug.h>
/*
 * WARN: the kernel's is an invalid instruction and a table entry that says "go on"; without the entry it would be an
 * Oops. A body reports by itself. BUG: the same instruction; an Oops that ends the task is what is meant.
 */
#undef __WARN_FLAGS
#define __WARN_FLAGS(flags) \
	do { \
		static bool newleaf_warned; \
		if (!((flags)&BUGFLAG_ONCE) || !newleaf_warned) { \
			newleaf_warned = true; \
			_printk(KERN_WARNING "WARNING: %s:%d %s, in a leaf\n", __FILE__, __LINE__, __func__); \
			dump_stack(); \
		} \
	} while (0)
#undef BUG
#define BUG() \
	do { \
		asm volatile(ASM_UD2); \
		__builtin_unreachable(); \
	} while (0)

#include <linux/jump_label.h>
#include <linux/printk.h>

#ifdef CONFIG_PARAVIRT_XXL
#include <asm/irqflags.h>
/* Interrupt flags: paravirt calls that boot makes native. Below Newleaf is no Xen PV, for which they would be something
 * else. */
static __always_inline unsigned long newleaf_irq_save(void)
{
	unsigned long flags = native_save_fl();

	native_irq_disable();
	return flags;
}
static __always_inline void newleaf_irq_restore(unsigned long flags)
{
	if (flags & X86_EFLAGS_IF)
		native_irq_enable();
}
#define arch_local_save_flags() native_save_fl()
#define arch_local_irq_disable() native_irq_disable()
#define arch_local_irq_enable() native_irq_enable()
#define arch_local_irq_save() newleaf_irq_save()
#define arch_local_irq_restore(flags) newleaf_irq_restore(flags)
#define arch_irqs_disabled() (!(native_save_fl() & X86_EFLAGS_IF))
#endif

#include <asm/cpufeature.h>
#undef static_cpu_has
#define static_cpu_has(bit) boot_cpu_has(bit)

#include <asm/page.h>
/* access_ok() with 4- and 5-level paging: normally an alternative (arch/x86/include/asm/page_64.h). */
#undef task_size_max
#define task_size_max() ((1UL << (boot_cpu_has(X86_FEATURE_LA57) ? 56 : 47)) - PAGE_SIZE)

#endif
