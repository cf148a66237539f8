// SPDX-License-Identifier: Apache-2.0
/* Fills struct nl_leaf_target: addresses from kallsyms, offsets from BTF, table sizes from the distance to the next
 * symbol. */
#include "linux_target.h"
#include "livesites.h"
#include "thunks.h"
#include "types.h"

#include <string.h>

static const char *const why = "the hypervisor needs an offset";

static uint32_t offset_of(const struct kernel *k, const char *type, const char *path)
{
	return member_find(k, type, path, why).offset;
}

static uint64_t distance_to_next(const struct kernel *k, uint64_t va)
{
	const struct ksym *next = kallsyms_next(&k->syms, va);

	return next ? next->va - va : 0;
}

/* Object 0: the image, and what the hypervisor tells apart in it. */
static void fill_kernel(struct nl_leaf_object *o, const struct kernel *k)
{
	static const char *const bounds[NL_KERNEL_REGIONS][2] = {
	        [NL_KERNEL_IMAGE] = {"_text", "_end"},
	        [NL_KERNEL_TEXT] = {"_stext", "_etext"},
	        [NL_KERNEL_RODATA] = {"__start_rodata", "__end_rodata"}};

	o->kind = NL_OBJECT_KERNEL;
	memcpy(o->name, "vmlinux", sizeof("vmlinux"));
	o->n_regions = NL_KERNEL_REGIONS;
	for (uint32_t i = 0; i < NL_KERNEL_REGIONS; i++) {
		o->regions[i].kind = NL_MEM_IMAGE + i;
		o->regions[i].base = kernel_symbol(k, bounds[i][0]);
		o->regions[i].size = (uint32_t)(kernel_symbol(k, bounds[i][1]) - o->regions[i].base);
	}
	memcpy(o->build_id, k->build_id, k->build_id_len);
	o->build_id_len = k->build_id_len;
	o->build_id_region = NL_KERNEL_IMAGE;
	o->build_id_offset = (uint32_t)(k->build_id_va - o->regions[NL_KERNEL_IMAGE].base);
}

static void fill_addresses(struct nl_leaf_target *t, const struct kernel *k)
{
	t->syscall_entry = kernel_symbol(k, "entry_SYSCALL_64");
	t->page_table = kernel_symbol(k, "init_top_pgt");
	t->arena_pmd = kernel_symbol(k, "level2_fixmap_pgt");
	t->init_task = kernel_symbol(k, "init_task");
	t->per_cpu_offset = kernel_symbol(k, "__per_cpu_offset");
	t->idle_threads = kernel_symbol(k, "idle_threads");
	t->nr_cpu_ids = kernel_symbol_or_0(k, "nr_cpu_ids");
	t->nr_cpu_ids_max = (uint32_t)(distance_to_next(k, t->per_cpu_offset) / 8);
	if (!t->nr_cpu_ids_max)
		refuse(NL_EKERNEL, "%s: __per_cpu_offset has no size", k->path);
}

static void fill_slots(struct nl_leaf_target *t, const struct kernel *k)
{
	t->probe_slots[0] = kernel_symbol_or_0(k, "kprobe_insn_slots");
	t->probe_slots[1] = kernel_symbol_or_0(k, "kprobe_optinsn_slots");
	if (!t->probe_slots[0])
		return;
	t->slots_pages = offset_of(k, "struct kprobe_insn_cache", "pages");
	t->slots_list = offset_of(k, "struct kprobe_insn_page", "list");
	t->slots_insns = offset_of(k, "struct kprobe_insn_page", "insns");
}

static void fill_kprobes(struct nl_leaf_target *t, const struct kernel *k)
{
	uint64_t heads;

	t->kprobe_table = kernel_symbol_or_0(k, "kprobe_table");
	if (!t->kprobe_table)
		return;
	/* struct hlist_head kprobe_table[1 << KPROBE_HASH_BITS], 8 bytes each; padding behind it is smaller than the
	 * table */
	for (heads = distance_to_next(k, t->kprobe_table) / 8; heads > 1; heads /= 2)
		t->kprobe_hash_bits++;
	t->kprobe_hlist = offset_of(k, "struct kprobe", "hlist");
	t->kprobe_addr = offset_of(k, "struct kprobe", "addr");
	fill_slots(t, k);
}

static struct nl_leaf_run run(const struct kernel *k, uint64_t from, uint64_t to)
{
	return from && to > from
	               ? (struct nl_leaf_run){(uint32_t)(from - kernel_symbol(k, "_text")), (uint32_t)(to - from)}
	               : (struct nl_leaf_run){0};
}

/* The function that has one of these names. */
static struct nl_leaf_run function(const struct kernel *k, const char *const *names)
{
	uint64_t at = 0;

	for (; !at && *names; names++)
		at = kernel_symbol_or_0(k, *names);
	return run(k, at, at + (at ? distance_to_next(k, at) : 0));
}

static struct nl_leaf_run between(const struct kernel *k, const char *from, const char *to)
{
	return run(k, kernel_symbol_or_0(k, from), kernel_symbol_or_0(k, to));
}

/* Where functions return to whose return addresses the kernel keeps elsewhere. The probes' has had three names: until
 * 5.15, until 5.17, and that of rethook, which also fprobe uses until 6.13. */
static void fill_trampolines(struct nl_leaf_target *t, const struct kernel *k)
{
	static const char *const probe[] = {"arch_rethook_trampoline", "__kretprobe_trampoline", "kretprobe_trampoline",
	                                    NULL};

	t->returns[0] = function(k, probe);
	t->returns[1] = function(k, (const char *const[]){"return_to_handler", NULL});
}

/* The interrupt stack's pointer: a per-CPU variable of its own, from 6.2 to 6.14 a member of another. */
static uint64_t irq_stack(const struct kernel *k)
{
	uint64_t hot = kernel_symbol_or_0(k, "pcpu_hot");
	struct member m;

	if (hot && member_maybe(k, "struct pcpu_hot", "hardirq_stack_ptr", why, &m))
		return hot + m.offset;
	return kernel_symbol_or_0(k, "hardirq_stack_ptr");
}

/* What a commit without an agent needs, and what a standing order begins with. All of it or, where the kernel has it in
 * another form, none. */
static void fill_agentless(struct nl_leaf_target *t, const struct kernel *k)
{
	const struct nl_leaf_run nowhere[] = {
	        between(k, "__entry_text_start", "__entry_text_end"),
	        between(k, "__noinstr_text_start", "__noinstr_text_end"),
	        function(k, (const char *const[]){"__switch_to_asm", NULL}),
	        function(k, (const char *const[]){"__switch_to", NULL}),
	};
	const struct ksym *formats;
	bool all = true;

	_Static_assert(sizeof(nowhere) == sizeof(t->nowhere), "places in which no stack tells who is where");
	for (size_t i = 0; i < NL_ARRAY_SIZE(nowhere); i++)
		all &= nowhere[i].size > 0;
	if (all)
		memcpy(t->nowhere, nowhere, sizeof(nowhere));
	t->irq_stack = irq_stack(k);
	if (kallsyms_find(&k->syms, "formats", 1, &formats) != 1) /* some kernels have two, of which nothing tells */
		return;
	t->formats = formats->va;
	t->format_load = offset_of(k, "struct linux_binfmt", "load_binary");
	if (offset_of(k, "struct linux_binfmt", "lh"))
		refuse(NL_EKERNEL, "%s: struct linux_binfmt does not begin as it did", k->path);
}

/* INIT_TASK_DATA of vmlinux.lds.h: the first stack is THREAD_SIZE bytes, with or without KASAN; another name
 * since 6.10. */
static uint32_t stack_size(const struct kernel *k)
{
	bool old = kernel_symbol_or_0(k, "__start_init_task");
	uint64_t size = kernel_symbol(k, old ? "__end_init_task" : "__end_init_stack") -
	                kernel_symbol(k, old ? "__start_init_task" : "__start_init_stack");

	if (size < 8192 || size > 65536 || size & (size - 1))
		refuse(NL_EKERNEL, "%s: a kernel stack of %llu bytes is not plausible", k->path,
		       (unsigned long long)size);
	return (uint32_t)size;
}

/* With kCFI, or FineIBT in its place, a caller by pointer looks at what stands before a function, and boot rewrites it
 * where the kernel's own tables lead (arch/x86/kernel/alternative.c:apply_fineibt): a body's function would not pass.
 */
static void check_cfi(const struct kernel *k)
{
	const struct ksection *s = kernel_section(k, ".cfi_sites");

	if (s && s->size)
		refuse(NL_EKERNEL,
		       "%s: built with CONFIG_CFI (.cfi_sites): the kernel could not call a body through a pointer",
		       k->path);
}

void linux_target_fill(struct nl_leaf_target *t, const struct kernel *k)
{
	livesites_verify(k);
	check_cfi(k);
	t->guest_os = NL_GUEST_LINUX;
	fill_kernel(&t->kernel, k);
	fill_addresses(t, k);
	fill_kprobes(t, k);
	fill_trampolines(t, k);
	fill_agentless(t, k);
	thunks_fill(t, k);
	t->task_tasks = offset_of(k, "struct task_struct", "tasks");
	t->task_thread_node = offset_of(k, "struct task_struct", "thread_node");
	t->task_signal = offset_of(k, "struct task_struct", "signal");
	t->signal_thread_head = offset_of(k, "struct signal_struct", "thread_head");
	t->task_stack = offset_of(k, "struct task_struct", "stack");
	t->task_thread_sp = offset_of(k, "struct task_struct", "thread.sp");
	t->task_pid = offset_of(k, "struct task_struct", "pid");
	t->task_comm = offset_of(k, "struct task_struct", "comm");
	linux_queues_fill(t, k);
	t->thread_size = stack_size(k);
}
