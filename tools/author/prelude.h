/*
 * Included before every body. A body is code that the kernel's boot-time patching never saw, so what is normally patched in place
 * (static keys, CPU features, the size of user space) is asked for at run time instead.
 */
#ifndef NEWLEAF_PRELUDE_H
#define NEWLEAF_PRELUDE_H

struct jump_entry;
struct static_key;
#include <asm/jump_label.h>
/* A key's branch is taken when "enabled" differs from what the source calls the likely case (kernel/jump_label.c, jump_label_type). */
#define arch_static_branch(key, branch) ((*(const volatile int *)&(key)->enabled.counter > 0) ^ (branch))
#define arch_static_branch_jump(key, branch) arch_static_branch(key, branch)
#include <linux/jump_label.h>

#include <asm/cpufeature.h>
#undef static_cpu_has
#define static_cpu_has(bit) boot_cpu_has(bit)

#include <asm/page.h>
/* access_ok() with 4- and 5-level paging: normally an alternative (arch/x86/include/asm/page_64.h). */
#undef task_size_max
#define task_size_max() ((1UL << (boot_cpu_has(X86_FEATURE_LA57) ? 56 : 47)) - PAGE_SIZE)

#endif
