// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the kernel's tables of patch sites. Each is an array whose entries hold the address of an instruction, either
 * whole (8 bytes) or relative to the field itself (4 bytes): include/linux/{jump_label,static_call_types}.h,
 * arch/x86/include/asm/{alternative, paravirt_types,extable}.h, include/asm-generic/bug.h of Linux.
 */
#include "livesites.h"

#include <newleaf/types.h>
#include <string.h>

enum form { RELATIVE, WHOLE };

struct table {
	const char *section;      /* or, when it has no section of its own, */
	const char *start, *stop; /* the symbols around it */
	uint32_t entry;           /* bytes of an entry; 0 = struct alt_instr, whose size changed */
	enum form form;
	uint32_t length; /* of the site; 0 = in the entry at length_at */
	uint32_t length_at;
	uint32_t target_at; /* a second relative field: where control may arrive; 0 = none */
	bool copyable;      /* a copy that nobody lists is as right as the listed code, only less refined */
	const char *what;
};

static const struct table tables[] = {
        {.section = ".altinstructions", .what = "an alternative, which boot patches for the CPU"},
        {.section = ".parainstructions",
         .entry = 16,
         .form = WHOLE,
         .length_at = 9,
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
         .entry = 12,
         .length = 1,
         .target_at = 4,
         .what = "an instruction whose faults the kernel catches (__ex_table)"},
        {.section = "__bug_table", .entry = 12, .length = 2, .what = "a BUG or WARN"},
        {.start = "__start___jump_table",
         .stop = "__stop___jump_table",
         .entry = 16,
         .length = 5,
         .target_at = 4,
         .what = "a jump label, which is patched at any time"},
        {.start = "__start_static_call_sites",
         .stop = "__stop_static_call_sites",
         .entry = 8,
         .length = 5,
         .what = "a static call, which is patched at any time"},
        {.start = "__start_mcount_loc",
         .copyable = true,
         .stop = "__stop_mcount_loc",
         .entry = 8,
         .form = WHOLE,
         .length = 5,
         .what = "the nop of ftrace"},
};

struct span {
	const uint8_t *bytes;
	uint64_t va, size;
};

static struct span table_span(const struct kernel *k, const struct table *t)
{
	const struct ksection *s = t->section ? kernel_section(k, t->section) : NULL;
	uint64_t start, stop;

	if (t->section)
		return s && s->bytes ? (struct span){s->bytes, s->va, s->size} : (struct span){0};
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

/*
 * struct alt_instr: { s32 instr, repl; u16 cpuid; u8 instrlen, replacementlen; } until 6.2, then { s32 instr, repl; u32
 * ft_flags; u8, u8 }. The right size is the one with which every entry names code and a length of 1 to 15 replacement
 * bytes or more.
 */
static bool alt_fits(const struct kernel *k, const struct span *s, uint32_t entry)
{
	uint64_t start = kernel_symbol(k, "_text"), end = kernel_symbol(k, "_end");

	if (s->size % entry)
		return false;
	for (uint64_t at = 0; at < s->size; at += entry) {
		uint64_t va = relative(s, at);

		if (va < start || va >= end || !s->bytes[at + entry - 2] ||
		    s->bytes[at + entry - 1] > s->bytes[at + entry - 2])
			return false;
	}
	return true;
}

static struct table concrete(const struct kernel *k, const struct table *t, const struct span *s)
{
	struct table c = *t;

	if (c.entry)
		return c;
	c.entry = alt_fits(k, s, 12) ? 12 : alt_fits(k, s, 14) ? 14 : 0;
	if (!c.entry && s->size)
		refuse(NL_EKERNEL, "%s: .altinstructions has a form that this version does not know", k->path);
	c.length_at = c.entry - 2;
	return c;
}

static const char *table_conflict(const struct kernel *k, const struct table *any, uint64_t va, uint32_t len)
{
	struct span s = table_span(k, any);
	struct table t;

	if (!s.size)
		return NULL;
	t = concrete(k, any, &s);
	for (uint64_t at = 0; at + t.entry <= s.size; at += t.entry) {
		uint64_t site = site_of(&s, &t, at), length = t.length ? t.length : s.bytes[at + t.length_at];

		if (site < va + len && va < site + length)
			return t.what;
		site = t.target_at ? relative(&s, at + t.target_at) : 0;
		if (site > va && site < va + len)
			return xformat("the place where control continues after %s", t.what);
	}
	return NULL;
}

/* Pointers that KASLR knows of (tables of handlers, of jumps) and that lead strictly inside. */
static const char *pointer_conflict(const struct kernel *k, uint64_t va, uint32_t len)
{
	for (size_t i = 0; i < k->relocs.n; i++) {
		const struct krel *r = &k->relocs.rel[i];
		const uint8_t *p = r->kind == KREL_INV_32 ? NULL : kernel_bytes(k, r->va, krel_size(r));
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
		if (v > va && v < va + len) {
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
	return pointer_conflict(k, va, len);
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
	struct span s = table_span(k, t);

	for (uint64_t at = 0; at + t->entry <= s.size; at += t->entry)
		if (site_of(&s, t, at) == va)
			return true;
	return false;
}
