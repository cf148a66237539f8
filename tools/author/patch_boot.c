// SPDX-License-Identifier: Apache-2.0
/*
 * Code of boot that takes the address of a constant may register it (file operations), and then it is read for ever; or
 * it may have it searched (tables of processors), and then it is read once. What an instruction loads from it is read
 * there and then.
 */
#include "patch_boot.h"
#include "code.h"
#include "patch_kind.h"

#include <newleaf/types.h>
#include <string.h>

#define TABLES_DEEP 8 /* of constants that lead to each other */
#define LOOK 8u       /* instructions from an address to the call that gets it */

/* They read what they are given, and keep no address of it. */
static bool only_looks(const char *function)
{
	static const char *const names[] = {"x86_match_cpu",
	                                    "x86_cpu_has_min_microcode_rev",
	                                    "dmi_check_system",
	                                    "pci_dev_present",
	                                    "acpi_match_platform_list",
	                                    "match_string",
	                                    "sysfs_create_group",
	                                    "sysfs_create_groups",
	                                    "sysfs_remove_group",
	                                    "sysfs_remove_groups",
	                                    "memcpy",
	                                    "__memcpy",
	                                    "memcmp",
	                                    "strcmp",
	                                    "strncmp",
	                                    "strlen",
	                                    "_printk",
	                                    "printk"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(names); i++)
		if (!strcmp(function, names[i]))
			return true;
	return false;
}

/* The next call from an instruction on, if no branch comes before it: to whom, as far as a relocation tells. */
static const char *next_call(const struct unit *u, const struct unit_section *s, uint64_t at, uint64_t end)
{
	for (unsigned i = 0; i < LOOK && at < end; i++) {
		struct code_step step = code_decode(s->bytes + at, end - at, at);

		for (size_t r = 0; r < s->n_relocs && (step.is_call || step.jumps); r++)
			if (s->reloc[r].offset > at && s->reloc[r].offset < at + step.len)
				return unit_target(u, s, &s->reloc[r]).symbol
				               ? unit_target(u, s, &s->reloc[r]).symbol->name
				               : NULL;
		if (!step.len || step.is_call || step.jumps || step.ends)
			return NULL;
		at += step.len;
	}
	return NULL;
}

/* What code of boot does with the place that a relocation in it leads to. */
static enum boot_use use_in_code(const struct unit *u, const struct unit_section *s, const struct unit_reloc *r)
{
	const struct unit_symbol *f = unit_holder(u, (uint32_t)(s - u->section), r->offset);
	uint64_t at = f ? f->value : 0, end = f ? f->value + f->size : s->size;
	const char *callee;

	while (at < end) {
		struct code_step step = code_decode(s->bytes + at, end - at, at);

		if (!step.len || at > r->offset)
			break;
		if (at + step.len > r->offset) {
			if (step.loads && at + step.loads == r->offset)
				return BOOT_READS;
			callee = next_call(u, s, at + step.len, end);
			return callee && only_looks(callee) ? BOOT_READS : BOOT_HANDS_ON;
		}
		at += step.len;
	}
	return BOOT_HANDS_ON;
}

static enum boot_use use_of(const struct unit *u, const struct unit_symbol *datum, int depth);

/* BOOT_NOT: it is read after boot, too, or by whom is not known. */
static enum boot_use use_at(const struct unit *u, const struct unit_section *s, const struct unit_reloc *r, int depth)
{
	const struct unit_symbol *holder;

	if (unit_is_of_boot(s))
		return unit_is_code(s) ? use_in_code(u, s, r) : BOOT_HANDS_ON;
	holder = unit_is_code(s) ? NULL : unit_holder(u, (uint32_t)(s - u->section), r->offset);
	if (!holder || !unit_is_datum(u, holder) || depth == TABLES_DEEP)
		return BOOT_NOT;
	return use_of(u, holder, depth + 1) == BOOT_NOT ? BOOT_NOT : BOOT_HANDS_ON;
}

static enum boot_use use_of(const struct unit *u, const struct unit_symbol *datum, int depth)
{
	enum boot_use use = BOOT_READS;
	bool any = false;

	for (size_t i = 1; i < u->n_sections && use != BOOT_NOT; i++) {
		const struct unit_section *s = &u->section[i];

		for (size_t r = 0; r < s->n_relocs && use != BOOT_NOT && s->flags & SHF_ALLOC; r++) {
			enum boot_use its;

			if ((u->symbol[s->reloc[r].symbol].section != datum->section) ||
			    unit_target(u, s, &s->reloc[r]).symbol != datum)
				continue;
			if (i == datum->section && s->reloc[r].offset >= datum->value &&
			    s->reloc[r].offset < datum->value + datum->size)
				continue; /* it leads to itself */
			any = true;
			its = use_at(u, s, &s->reloc[r], depth);
			use = its < use ? its : use;
		}
	}
	return any ? use : BOOT_NOT;
}

enum boot_use boot_use_of(const struct unit *u, const struct unit_symbol *datum) { return use_of(u, datum, 0); }

static uint64_t place_of(const struct kernel *k, const char *name)
{
	const struct ksym *found = NULL;

	return kallsyms_find(&k->syms, name, 1, &found) ? found->va : 0;
}

/* The lists of memory that boot hands out. A kernel that throws them away has the code still, where memory can be
 * plugged in (__init_memblock is then __meminit, and that is plain code). */
static bool is_of_memblock(const struct unit *u, const struct unit_symbol *f)
{
	static const char *const of[] = {"memblock_", "__memblock_", "__next_mem_", "__next_reserved_mem_"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(of) && unit_find(u, "memblock_discard"); i++)
		if (starts_with(f->name, of[i]))
			return true;
	return false;
}

const char *boot_alone(const struct kernel *k, const struct unit *u, const struct unit_symbol *f, uint64_t va)
{
	uint64_t start = place_of(k, "_sinittext");

	/* where the image has it, and not how it is called: __meminit is __init for some configurations alone */
	if (starts_with(u->section[f->section].name, ".init.text") ||
	    (start && va >= start && va < place_of(k, "_einittext")))
		return "__init";
	return is_of_memblock(u, f) ? "memblock, whose lists boot throws away" : NULL;
}
