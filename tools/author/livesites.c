// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the kernel's tables of patch sites. Each is an array whose entries hold the address of an instruction, either
 * whole (8 bytes) or relative to the field itself (4 bytes): include/linux/{jump_label,static_call_types}.h,
 * arch/x86/include/asm/{alternative, paravirt_types,extable,runtime-const}.h, include/asm-generic/bug.h of Linux.
 * Entries have grown (struct alt_instr in 6.3, struct bug_entry in 7.0): their size comes from the kernel's types, and
 * livesites_verify() believes it only if every entry leads to code. It also knows every table of the image by name, so
 * that a new one does not pass unseen.
 */
#include "livesites.h"
#include "code.h"
#include "module.h"

#include <bpf/btf.h>

#include <newleaf/types.h>
#include <string.h>

enum form { RELATIVE, WHOLE };

struct table {
	const char *section;      /* or, when it has no section of its own, */
	const char *start, *stop; /* the symbols around it; in a module it has one: */
	const char *module;       /* of this name, if it is not the symbols' */
	bool prefix;              /* `section` is how the names of several begin */
	const char *type;         /* of an entry, when its size differs between kernels; */
	uint32_t entry;           /* else bytes of an entry, */
	uint32_t padding;         /* of which the last one may lack so many */
	enum form form;
	uint32_t length;    /* of the site; 0 = that of the instruction, or */
	uint32_t length_at; /* in the entry, so far from its end */
	uint32_t target_at; /* a second relative field: where control may arrive; 0 = none */
	bool copyable;      /* a copy that nobody lists is as right as the listed code, only less refined */
	bool says;          /* what the code's own bytes do not: where a fault continues, on which key a jump hangs */
	const char *what;
};

#define RUNTIME_CONST "a variable's value, which boot writes into the instruction"

static const struct table tables[] = {
        {.section = ".altinstructions",
         .says = true,
         .type = "alt_instr",
         .entry = 12,
         .length_at = 2,
         .what = "an alternative, which boot patches for the CPU"},
        {.section = ".parainstructions",
         .says = true,
         .entry = 16,
         .padding = 4,
         .form = WHOLE,
         .length_at = 7,
         .what = "a paravirt call, which boot patches"},
        {.section = ".retpoline_sites",
         .copyable = true,
         .entry = 4,
         .length = 5,
         .what = "a retpoline, which boot patches"},
        {.section = ".return_sites", .copyable = true, .entry = 4, .length = 5, .what = "a return, which boot patches"},
        {.section = ".call_sites",
         .copyable = true,
         .entry = 4,
         .length = 5,
         .what = "a call, which boot patches for call depth tracking"},
        {.section = ".cfi_sites", .entry = 4, .length = 4, .what = "a control flow check, which boot patches"},
        {.section = ".ibt_endbr_seal",
         .copyable = true,
         .entry = 4,
         .length = 4,
         .what = "an ENDBR, which boot may seal"},
        {.section = ".smp_locks",
         .copyable = true,
         .entry = 4,
         .length = 1,
         .what = "a lock prefix, which is patched when the number of CPUs changes"},
        {.section = "__ex_table",
         .says = true,
         .entry = 12,
         .length = 1,
         .target_at = 4,
         .what = "an instruction whose faults the kernel catches (__ex_table)"},
        /* UD2, or (7.x, a WARN with a text) a call */
        {.section = "__bug_table", .says = true, .type = "bug_entry", .entry = 12, .what = "a BUG or WARN"},
        {.section = "runtime_ptr_", .says = true, .prefix = true, .entry = 4, .length = 8, .what = RUNTIME_CONST},
        {.section = "runtime_shift_", .says = true, .prefix = true, .entry = 4, .length = 1, .what = RUNTIME_CONST},
        {.section = "runtime_mask_", .says = true, .prefix = true, .entry = 4, .length = 4, .what = RUNTIME_CONST},
        {.start = "__start___jump_table",
         .says = true,
         .stop = "__stop___jump_table",
         .entry = 16,
         .length = 5,
         .target_at = 4,
         .what = "a jump label, which is patched at any time"},
        {.start = "__start_static_call_sites",
         .stop = "__stop_static_call_sites",
         .module = ".static_call_sites",
         .entry = 8,
         .length = 5,
         .what = "a static call, which is patched at any time"},
        {.start = "__start_mcount_loc",
         .copyable = true,
         .stop = "__stop_mcount_loc",
         .module = "__mcount_loc",
         .entry = 8,
         .form = WHOLE,
         .length = 5,
         .what = "the nop of ftrace"},
};

struct span {
	const uint8_t *bytes;
	uint64_t va, size;
};

static bool is_section(const struct table *t, const char *name)
{
	return t->section && (t->prefix ? !strncmp(name, t->section, strlen(t->section)) : !strcmp(name, t->section));
}

/* Of a table that the image only marks by symbols: the section that modules and objects have. */
static bool is_marked(const struct table *t, const char *name)
{
	return t->start && (!strcmp(t->start + strlen("__start_"), name) || (t->module && !strcmp(t->module, name)));
}

/* The `nth` part of a table; size 0 = there is none. */
static struct span table_span(const struct kernel *k, const struct table *t, size_t nth)
{
	uint64_t start, stop;

	for (size_t i = 0; i < k->n_sections; i++) {
		const struct ksection *s = &k->sections[i];

		if (s->bytes && s->size && (is_section(t, s->name) || (s->of && is_marked(t, s->name))) && !nth--)
			return (struct span){s->bytes, s->va, s->size};
	}
	if (t->section || nth)
		return (struct span){0};
	start = kernel_symbol_or_0(k, t->start);
	stop = kernel_symbol_or_0(k, t->stop);
	if (!start || stop <= start || !kernel_bytes(k, start, stop - start))
		return (struct span){0};
	return (struct span){kernel_bytes(k, start, stop - start), start, stop - start};
}

static uint64_t relative(const struct span *s, uint64_t at)
{
	int32_t v;

	memcpy(&v, s->bytes + at, 4);
	return s->va + at + (uint64_t)(int64_t)v;
}

static uint64_t site_of(const struct span *s, const struct table *t, uint64_t at)
{
	uint64_t v;

	if (t->form == RELATIVE)
		return relative(s, at);
	memcpy(&v, s->bytes + at, 8);
	return v;
}

static uint32_t entry_size(const struct kernel *k, const struct table *t)
{
	int id = t->type && k->btf ? btf__find_by_name_kind(k->btf, t->type, BTF_KIND_STRUCT) : -1;
	long size = id > 0 ? (long)btf__resolve_size(k->btf, (uint32_t)id) : 0;

	return size >= 4 && size <= 64 ? (uint32_t)size : t->entry;
}

static uint64_t site_length(const struct kernel *k, const struct table *t, const uint8_t *length, uint64_t site)
{
	const uint8_t *code = kernel_bytes(k, site, 1);
	struct code_step step;

	if (t->length || t->length_at)
		return t->length ? t->length : *length;
	step = code ? code_decode(code, kernel_bytes(k, site, 15) ? 15 : 1, site) : (struct code_step){0};
	return step.len ? step.len : 2;
}

static const char *span_conflict(const struct kernel *k, const struct table *t, const struct span *s, uint64_t va,
                                 uint32_t len)
{
	uint32_t entry = entry_size(k, t);

	for (uint64_t at = 0; at + entry - t->padding <= s->size; at += entry) {
		uint64_t site = site_of(s, t, at);

		if (site < va + len && va < site + 256 &&
		    va < site + site_length(k, t, s->bytes + at + entry - t->length_at, site))
			return t->what;
		site = t->target_at ? relative(s, at + t->target_at) : 0;
		if (site > va && site < va + len)
			return xformat("the place where control continues after %s", t->what);
	}
	return NULL;
}

static const char *table_conflict(const struct kernel *k, const struct table *t, uint64_t va, uint32_t len)
{
	const char *what = NULL;
	struct span s;

	for (size_t nth = 0; !what && (s = table_span(k, t, nth)).size; nth++)
		what = span_conflict(k, t, &s, va, len);
	return what;
}

/* Does the pointer at `at` belong to a table whose entries mean nothing to a copy, such as that of ftrace's nops? */
static bool of_copyable(const struct kernel *k, uint64_t at)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(tables); i++) {
		struct span s;

		for (size_t nth = 0; tables[i].copyable && (s = table_span(k, &tables[i], nth)).size; nth++)
			if (at >= s.va && at - s.va < s.size)
				return true;
	}
	return false;
}

/* Pointers that KASLR knows of (tables of handlers, of jumps) and that lead strictly inside. */
static const char *pointer_conflict(const struct kernel *k, uint64_t va, uint32_t len, bool copied)
{
	for (size_t i = 0; i < k->relocs.n; i++) {
		const struct krel *r = &k->relocs.rel[i];
		const uint8_t *p = krel_is_address(r) ? kernel_bytes(k, r->va, krel_size(r)) : NULL;
		int32_t v32;
		uint64_t v;

		if (!p)
			continue;
		if (r->kind == KREL_64) {
			memcpy(&v, p, 8);
		} else {
			memcpy(&v32, p, 4);
			v = (uint64_t)(int64_t)v32;
		}
		if (v > va && v < va + len && !(copied && of_copyable(k, r->va))) {
			const struct ksym *holder = kallsyms_at(&k->syms, r->va);

			return xformat("an address that %s holds", holder ? holder->name : "a table");
		}
	}
	return NULL;
}

static const char *conflict(const struct kernel *k, uint64_t va, uint32_t len, bool copied)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(tables); i++) {
		const char *what = copied && tables[i].copyable ? NULL : table_conflict(k, &tables[i], va, len);

		if (what)
			return what;
	}
	return pointer_conflict(k, va, len, copied);
}

const char *livesites_conflict(const struct kernel *k, uint64_t va, uint32_t len)
{
	return conflict(k, va, len, false);
}

const char *livesites_uncopyable(const struct kernel *k, uint64_t va, uint32_t len)
{
	return conflict(k, va, len, true);
}

bool livesites_ftrace(const struct kernel *k, uint64_t va)
{
	const struct table *t = &tables[NL_ARRAY_SIZE(tables) - 1];
	struct span s;

	for (size_t nth = 0; (s = table_span(k, t, nth)).size; nth++)
		for (uint64_t at = 0; at + t->entry <= s.size; at += t->entry)
			if (site_of(&s, t, at) == va)
				return true;
	return false;
}

/* Other parts of an image that is loaded: nothing that leads to code which is changed. Sections, and what has symbols
 * around it: include/asm-generic/vmlinux.lds.h, arch/x86/kernel/vmlinux.lds.S of Linux. */
static const char *const harmless[] = {
        ".BTF",
        ".BTF_ids",
        ".altinstr_aux",
        ".altinstr_replacement",
        ".apicdrivers",
        ".brk",
        ".bss",
        ".data",
        ".data..percpu",
        ".data_nosave",
        ".exit.text",
        ".init.data",
        ".init.scratch",
        ".init.text",
        ".iommu_table",
        ".notes",
        ".orc_header",
        ".orc_lookup",
        ".orc_unwind",
        ".orc_unwind_ip",
        ".pci_fixup",
        ".rodata",
        ".text",
        ".vvar",
        ".x86_cpu_dev.init",
        "BTF",
        "__dyndbg",
        "__dyndbg_classes",
        "__init_rodata",
        "__kcrctab",
        "__kcrctab_gpl",
        "__kflagstab",
        "__kflagstab_gpl",
        "__ksymtab",
        "__ksymtab_gpl",
        "__modver",
        "__ksymtab_strings",
        "__param",
        "__trace_bprintk_fmt",
        "__tracepoint_str",
        "_bpf_raw_tp",
        "__tracepoints_ptrs",
        "alloc_tags",
        "ftrace_eval_maps",
        "ftrace_events",
        "notes",
        "kprobe_blacklist",
        "orc_header",
        "orc_unwind",
        "orc_unwind_ip",
        "once",
        "syscalls_metadata",
        "static_call_tramp_key",
};

/* By a section's name, which in an object tables have that the image only marks by symbols. */
static const struct table *table_named(const char *section)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(tables); i++)
		if (is_section(&tables[i], section) || is_marked(&tables[i], section))
			return &tables[i];
	return NULL;
}

bool livesites_says(const char *section)
{
	const struct table *t = table_named(section);

	return t && t->says;
}

uint32_t livesites_entry_size(const struct kernel *k, const char *section)
{
	return entry_size(k, table_named(section));
}

/* Sections of that name: the image's, and in a module's view that module's, too. */
static struct span section_span(const struct kernel *k, const struct table *t, const char *section, size_t nth)
{
	for (size_t i = 0; !t->start && i < k->n_sections; i++) {
		const struct ksection *s = &k->sections[i];

		if (s->bytes && !strcmp(s->name, section) && !nth--)
			return (struct span){s->bytes, s->va, s->size};
	}
	return t->start ? table_span(k, t, nth) : (struct span){0};
}

uint64_t livesites_entry(const struct kernel *k, const char *section, uint64_t va, uint64_t len, size_t nth)
{
	const struct table *t = table_named(section);
	uint32_t entry = entry_size(k, t);
	struct span s;

	for (size_t part = 0; (s = section_span(k, t, section, part)).size; part++)
		for (uint64_t at = 0; at + entry - t->padding <= s.size; at += entry)
			if (site_of(&s, t, at) - va < len && !nth--)
				return s.va + at;
	return 0;
}

/* Of a module: what the loader hands to nobody who would change the code that it names. By how the names begin. */
static const char *const harmless_modules[] = {".text",
                                               ".rodata",
                                               ".data",
                                               ".bss",
                                               ".init.",
                                               ".exit.",
                                               ".ref.",
                                               ".note.",
                                               ".orc_",
                                               ".fixup",
                                               ".BTF_ids",
                                               ".sched.text",
                                               ".spinlock.text",
                                               ".kprobes.text",
                                               ".cpuidle.text",
                                               ".noinstr.text",
                                               ".irqentry.text",
                                               ".softirqentry.text",
                                               ".static_call.text",
                                               ".static_call_tramp_key",
                                               ".altinstr_replacement",
                                               ".altinstr_aux",
                                               ".gnu.linkonce.this_module",
                                               ".printk_index",
                                               ".kunit_",
                                               "___srcu_struct_ptrs",
                                               "__bpf_raw_tp_map",
                                               "__dyndbg",
                                               "__kcrctab",
                                               "__kflagstab",
                                               "__ksymtab",
                                               "__param",
                                               "__modver",
                                               "__patchable_function_entries",
                                               "__trace",
                                               "_error_injection_whitelist",
                                               "_ftrace_ev",
                                               "_kprobe_blacklist"};

static bool is_known_of_module(const char *name)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(harmless_modules); i++)
		if (starts_with(name, harmless_modules[i]))
			return true;
	for (size_t i = 0; i < NL_ARRAY_SIZE(tables); i++)
		if (is_section(&tables[i], name) || is_marked(&tables[i], name))
			return true;
	return false;
}

static bool is_known(const char *name, bool section)
{
	for (size_t i = 0; i < NL_ARRAY_SIZE(tables); i++) {
		const struct table *t = &tables[i];

		if (is_section(t, name) || (!section && is_marked(t, name)))
			return true;
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(harmless); i++)
		if (!strcmp(harmless[i], name))
			return true;
	return false;
}

static void check_known(const struct kernel *k)
{
	const char *unknown = NULL;

	for (size_t i = 0; i < k->n_sections && !unknown; i++)
		if (!k->sections[i].of && k->sections[i].size && !is_known(k->sections[i].name, true))
			unknown = k->sections[i].name;
	for (size_t i = 0; i < k->syms.n && !unknown; i++) {
		const char *start = k->syms.sym[i].name, *name = start + strlen("__start_");

		if (strncmp(start, "__start_", strlen("__start_")) || is_known(name, false))
			continue;
		if (kernel_symbol_or_0(k, xformat("__stop_%s", name)) > k->syms.sym[i].va)
			unknown = name;
	}
	if (unknown)
		refuse(NL_EKERNEL,
		       "%s: the image holds a table, %s, that this version does not know: the kernel might patch the "
		       "code that it names",
		       k->path, unknown);
}

static bool is_code(const struct kernel *k, uint64_t va)
{
	for (size_t i = 0; i < k->n_sections; i++)
		if (k->sections[i].code && va >= k->sections[i].va && va - k->sections[i].va < k->sections[i].size)
			return true;
	return false;
}

/* A dropped weak function leaves zeroes in the list of ftrace sites, and a page of lock prefixes is filled with them.
 */
static bool is_empty(const uint8_t *entry, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (entry[i])
			return false;
	return true;
}

static void check_entries(const struct kernel *k, const struct table *t, const struct span *s)
{
	uint32_t entry = entry_size(k, t), rest = (uint32_t)(s->size % entry);
	const char *name = t->section ? t->section : t->start;

	for (uint64_t at = 0; at + entry - t->padding <= s->size; at += entry)
		if (!is_code(k, site_of(s, t, at)) && !is_empty(s->bytes + at, entry - t->padding))
			refuse(NL_EKERNEL,
			       "%s: entry %llu of %s, taken to have %u bytes, does not lead to code: its form is not "
			       "known",
			       k->path, (unsigned long long)(at / entry), name, entry);
	if (rest && rest != entry - t->padding)
		refuse(NL_EKERNEL, "%s: %s holds no whole number of entries of %u bytes", k->path, name, entry);
}

void livesites_verify_module(const struct kernel *k)
{
	for (size_t i = 0; i < k->n_sections; i++) {
		const struct ksection *s = &k->sections[i];

		if (!kernel_owns(k, s->va) || !s->size)
			continue;
		if (!is_known_of_module(s->name))
			refuse(NL_EKERNEL,
			       "%s: the module holds %s, which this version does not know: the kernel might patch the "
			       "code that it names",
			       k->module->path, s->name);
		for (size_t t = 0; s->bytes && t < NL_ARRAY_SIZE(tables); t++)
			if (is_section(&tables[t], s->name) || is_marked(&tables[t], s->name))
				check_entries(k, &tables[t], &(struct span){s->bytes, s->va, s->size});
	}
}

void livesites_verify(const struct kernel *k)
{
	struct span s;

	check_known(k);
	for (size_t i = 0; i < NL_ARRAY_SIZE(tables); i++)
		for (size_t nth = 0; (s = table_span(k, &tables[i], nth)).size; nth++)
			check_entries(k, &tables[i], &s);
}
