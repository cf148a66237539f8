// SPDX-License-Identifier: Apache-2.0
/*
 * Included before every body. A body is code that the kernel's boot-time patching never saw, so what is normally
 * patched in place (static keys, CPU features, the size of user space) is asked for at run time instead, and what is
 * found by tables is done by calls.
 */
#ifndef NEWLEAF_PRELUDE_H
#define NEWLEAF_PRELUDE_H

/*
 * Functions that the kernel gathers in a section: sleepers that wchan passes over, what nobody may probe, what makes
 * memory ready. The leaf's pages are none of these, and no probe reaches them, since they have no names. Without the
 * section's name each function has a section of its own (-ffunction-sections), and every call of another has a
 * relocation. First of all, since a declaration that has the attribute gives it to the function. What is noinstr keeps
 * its section, and is refused.
 */
#include <linux/init.h>
#include <linux/sched/debug.h>
#include <asm-generic/kprobes.h>
#undef __sched
#define __sched
#undef __kprobes
#define __kprobes
#undef __ref
#define __ref noinline
#ifdef CONFIG_MEMORY_HOTPLUG /* else it is for boot alone, and is refused */
#undef __meminit
#define __meminit __cold notrace
#endif
#ifdef MODULE /* its beginning and its end are code like any other, and the leaf's is not thrown away with them */
#undef __init
#define __init __cold
#undef __initdata
#define __initdata
#undef __initconst
#define __initconst
#undef __exit
#define __exit __cold
#undef __exitdata
#define __exitdata
#endif

struct jump_entry;
struct static_key;
#include <asm/jump_label.h>
/* A key's branch is taken when "enabled" differs from what the source calls the likely case (kernel/jump_label.c,
 * jump_label_type). */
#define arch_static_branch(key, branch) ((*(const volatile int *)&(key)->enabled.counter > 0) ^ (branch))
#define arch_static_branch_jump(key, branch) arch_static_branch(key, branch)

#include <linux/version.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#include <asm/alternative.h>
/* One of three functions that do the same, by the CPU (clear_page(), copy_user_generic()): the first one works on all.
 */
#undef alternative_call_2
#define alternative_call_2(oldfunc, newfunc1, ft1, newfunc2, ft2, output, input...) \
	asm volatile("call %P[old]" : output, ASM_CALL_CONSTRAINT : [old] "i"(oldfunc), ##input)
#endif

#include <asm/bug.h>
/*
 * WARN: the kernel's is an invalid instruction and a table entry that says "go on"; without the entry it would be an
 * Oops. A body does what the handler of that does with the entry (lib/bug.c, report_bug): __warn() taints, counts and
 * panics as the machine's settings say. BUG: the same instruction; an Oops that ends the task is what is meant.
 */
#define newleaf_warn(flags, how...) \
	do { \
		static bool newleaf_warned; \
		void *newleaf_here; \
		if (!((flags)&BUGFLAG_ONCE) || !newleaf_warned) { \
			newleaf_warned = true; \
			asm volatile("lea (%%rip), %0" : "=r"(newleaf_here)); \
			if (!((flags)&BUGFLAG_NO_CUT_HERE)) \
				newleaf_printk(KERN_DEFAULT CUT_HERE); \
			how; \
			newleaf_printk(KERN_WARNING "%s, in a leaf\n", __func__); \
			__warn(__FILE__, __LINE__, newleaf_here, (flags) >> 8, NULL, NULL); \
		} \
	} while (0)
#define newleaf_second(first, second, ...) second
/* The flags, or the condition as a string and the flags (7.x). */
#undef __WARN_FLAGS
#define __WARN_FLAGS(...) newleaf_warn(newleaf_second(__VA_ARGS__, __VA_ARGS__, 0))
#ifdef __WARN_print_arg /* 7.x: with a text it is a static call, and its entry tells the call */
#undef __WARN_print_arg
#define __WARN_print_arg(flags, format, arg...) newleaf_warn(flags, newleaf_printk(format, ##arg))
#endif
#undef BUG
#define BUG() \
	do { \
		asm volatile(ASM_UD2); \
		__builtin_unreachable(); \
	} while (0)

#include <linux/version.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#include <asm/alternative.h>
/* One of three functions that do the same, by the CPU (clear_page(), copy_user_generic()): the first one works on all.
 */
#undef alternative_call_2
#define alternative_call_2(oldfunc, newfunc1, ft1, newfunc2, ft2, output, input...) \
	asm volatile("call %P[old]" : output, ASM_CALL_CONSTRAINT : [old] "i"(oldfunc), ##input)
#endif

#ifdef CONFIG_PARAVIRT
#include <asm/paravirt_types.h>
/*
 * Paravirt calls: indirect ones, which a table lets boot make direct or native. A body calls what the pointer says, and
 * as it calls any other: a bare indirect call would be open to branch target injection. rax is the result, or lost.
 */
#define newleaf_list(...) __VA_ARGS__
#define newleaf_pvop_call(ret, pointer, call_clbr, extra_clbr, ...) \
	({ \
		PVOP_CALL_ARGS; \
		asm volatile("mov %[paravirt_opptr], %%rax; call __x86_indirect_thunk_rax" \
		             : newleaf_list call_clbr, ASM_CALL_CONSTRAINT \
		             : newleaf_list pointer, ##__VA_ARGS__ \
		             : "memory", "cc" newleaf_list extra_clbr); \
		ret; \
	})
#ifndef ____PVOP_ALT_CALL /* 5.10: pv_ops by its number */
#undef PARAVIRT_CALL
#define PARAVIRT_CALL "mov %c[paravirt_opptr], %%rax; call __x86_indirect_thunk_rax;"
#undef paravirt_alt
#define paravirt_alt(call) call
#else
#undef ____PVOP_CALL
#undef ____PVOP_ALT_CALL
#ifdef paravirt_type /* 6.1 */
#define ____PVOP_CALL(ret, op, clbr, call_clbr, extra_clbr, ...) \
	newleaf_pvop_call(ret, (paravirt_type(op)), (call_clbr), (extra_clbr), ##__VA_ARGS__)
#define ____PVOP_ALT_CALL(ret, op, alt, cond, clbr, call_clbr, extra_clbr, ...) \
	newleaf_pvop_call(ret, (paravirt_type(op)), (call_clbr), (extra_clbr), ##__VA_ARGS__)
#elif defined(PVOP_TEST_NULL) /* 6.12 */
#define ____PVOP_CALL(ret, op, call_clbr, extra_clbr, ...) \
	newleaf_pvop_call(ret, (paravirt_ptr(op)), (call_clbr), (extra_clbr), ##__VA_ARGS__)
#define ____PVOP_ALT_CALL(ret, op, alt, cond, call_clbr, extra_clbr, ...) \
	newleaf_pvop_call(ret, (paravirt_ptr(op)), (call_clbr), (extra_clbr), ##__VA_ARGS__)
#else /* 7.x: more than one structure of pointers */
#define ____PVOP_CALL(ret, array, op, call_clbr, extra_clbr, ...) \
	newleaf_pvop_call(ret, (paravirt_ptr(array, op)), (call_clbr), (extra_clbr), ##__VA_ARGS__)
#define ____PVOP_ALT_CALL(ret, array, op, alt, cond, call_clbr, extra_clbr, ...) \
	newleaf_pvop_call(ret, (paravirt_ptr(array, op)), (call_clbr), (extra_clbr), ##__VA_ARGS__)
#endif
#endif
#endif

#include <linux/jump_label.h>
#include <linux/printk.h>
#ifdef printk /* since 5.15 a macro that also lists the text */
#define newleaf_printk _printk
#else
#define newleaf_printk printk
#endif

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

#if __has_include(<asm/runtime-const.h>) && !defined(MODULE) /* modules read the variables themselves */
#include <asm/runtime-const.h>
/* Variables that boot writes into the instructions which use them (6.11). */
#undef runtime_const_ptr
#define runtime_const_ptr(sym) (sym)
#undef runtime_const_shift_right_32
#define runtime_const_shift_right_32(val, sym) ((u32)(val) >> (sym))
#undef runtime_const_mask_32
#define runtime_const_mask_32(val, sym) ((u32)(val) & (sym))
#endif

#endif
