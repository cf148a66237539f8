// SPDX-License-Identifier: Apache-2.0
/*
 * By the names that the image has for it, of 5.10 to 7.3. A body lies in the arena, which the kernel's own page tables
 * reach by their last entry; kexec, a CPU that starts and a kernel that wakes come with page tables without it, and a
 * copy would not have the site in it, or the site without its body.
 */
#include "elsewhere.h"

#include <fnmatch.h>
#include <newleaf/types.h>
#include <string.h>

#define PAGE 4096u

static const char kexec[] = "code of kexec: the kernel copies it, and the copy runs where no body is mapped",
                  ftrace[] = "code of ftrace, which the kernel copies and rewrites",
                  starts[] = "code by which a CPU starts or a kernel wakes, on a page table of its own",
                  uncalled[] = "code that nobody calls: control returns or jumps into it",
                  rewritten[] = "code whose callers the kernel rewrites, so that they no longer call it";

/* Assembler that lies in one piece: from one symbol up to and with the other. */
static const struct {
	const char *first, *last, *why;
} pieces[] = {
        {"relocate_kernel", "swap_pages", kexec},    /* kernel/relocate_kernel_64.S; since 6.14 in .data */
        {"__fentry__", "return_to_handler", ftrace}, /* kernel/ftrace_64.S: create_trampoline() */
};

static const struct {
	const char *pattern, *why;
} names[] = {
        /* kernel/head_64.S, kernel/head64.c, platform/pvh/head.S, xen/xen-head.S, boot/startup */
        {"startup_64", starts},
        {"startup_64_setup_env", starts},
        {"startup_64_setup_gdt_idt", starts},
        {"startup_64_load_idt", starts},
        {"secondary_startup_64", starts},
        {"secondary_startup_64_no_verify", starts},
        {"start_cpu0", starts},
        {"verify_cpu", starts},
        {"sev_verify_cbit", starts},
        {"vc_boot_ghcb", starts},
        {"soft_restart_cpu", starts},
        {"early_setup_idt", starts},
        {"__startup_64", starts},
        {"pvh_start_xen", starts},
        {"asm_cpu_bringup_and_idle", starts},
        {"__pi_*", starts},
        /* power/hibernate_asm_64.S, kernel/acpi/wakeup_64.S */
        {"core_restore_code", starts},
        {"restore_image", starts},
        {"restore_registers", starts},
        {"wakeup_long64", starts},
        {"do_suspend_lowlevel", starts},
        /* Return addresses and stacks that the kernel made up. */
        {"return_to_handler", uncalled},
        {"kretprobe_trampoline", uncalled},
        {"__kretprobe_trampoline", uncalled},
        {"arch_rethook_trampoline", uncalled},
        {"rewind_stack_and_make_dead", uncalled},
        {"rewind_stack_do_exit", uncalled},
        {"xen_iret", uncalled},
        /* __static_call_transform(), paravirt patching, bpf_dispatcher_update() */
        {"__static_call_return", rewritten},
        {"__static_call_return0", rewritten},
        {"__raw_callee_save_*", rewritten},
        {"_paravirt_*", rewritten},
        {"bpf_dispatcher_xdp_func", rewritten},
};

/* The first place of that name from an address on, 0 = none. */
static uint64_t place_from(const struct kernel *k, const char *name, uint64_t from)
{
	const struct ksym *s = NULL;
	size_t n = kallsyms_find(&k->syms, name, 1, &s);

	for (size_t i = 1; i <= n && kallsyms_find(&k->syms, name, i, &s); i++)
		if (s && s->va >= from)
			return s->va;
	return 0;
}

static const char *by_name(const struct kernel *k, const char *name)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(names); i++)
		if (!fnmatch(names[i].pattern, name, 0))
			return names[i].why;
	/* Assembler up to 6.4; then a C function of this name is called by ret_from_fork_asm. */
	return !strcmp(name, "ret_from_fork") && !place_from(k, "ret_from_fork_asm", 0) ? uncalled : NULL;
}

const char *elsewhere_runs(const struct kernel *k, uint64_t va)
{
	const struct ksym *end = k->syms.sym + k->syms.n, *s = kallsyms_at(&k->syms, va);
	uint64_t xen = place_from(k, "hypercall_page", 0);
	const char *why = NULL;

	for (size_t i = 0; i < NL_ARRAY_SIZE(pieces); i++) {
		uint64_t first = place_from(k, pieces[i].first, 0), last = place_from(k, pieces[i].last, first);

		if (first && va >= first && va <= last && last - first < PAGE)
			return pieces[i].why;
	}
	if (xen && va >= xen && va < xen + PAGE)
		return "in a page that Xen writes";
	while (s && s > k->syms.sym && s[-1].va == va)
		s--;
	for (; s && s < end && s->va == va && !why; s++) /* whatever name was asked for */
		why = by_name(k, s->name);
	return why;
}
