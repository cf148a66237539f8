// SPDX-License-Identifier: Apache-2.0
/*
 * An entry that C defines has a symbol, one that asm() makes has none: so what no symbol covers is compared as it
 * stands, run by run. What follows from code (__bug_table and the like) is compared with the functions.
 */
#include "patch_lists.h"
#include "patch_kind.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

enum list {
	LIST_NONE,   /* code, data, or made of the code */
	LIST_TRACER, /* what can be traced */
	LIST_FIXED   /* read by boot, or as it was linked */
};

static bool begins(const char *name, const char *const *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (starts_with(name, with[i]))
			return true;
	return false;
}

static enum list list_of(const struct unit_section *s)
{
	static const char *const no_list[] = {".data", ".bss", ".rodata", ".vvar", ".meminit", ".discard"};
	/* of functions, by the compiler, objtool or macros inside of functions; and exports, which are told apart */
	static const char *const of_code[] = {"__ex_table",
	                                      "__bug_table",
	                                      "__jump_table",
	                                      ".altinstructions",
	                                      ".parainstructions",
	                                      "runtime_",
	                                      "__mcount_loc",
	                                      ".smp_locks",
	                                      ".static_call",
	                                      ".retpoline_sites",
	                                      ".return_sites",
	                                      ".call_sites",
	                                      ".ibt_endbr",
	                                      ".orc_",
	                                      ".kcfi_traps",
	                                      ".cfi_sites",
	                                      "__patchable_",
	                                      ".printk_index",
	                                      "__dyndbg",
	                                      "__verbose",
	                                      "__trace_printk",
	                                      "__tracepoint_str",
	                                      "_ftrace_branch",
	                                      "_ftrace_annotated",
	                                      "alloc_tags",
	                                      "__ksymtab",
	                                      "___ksymtab",
	                                      "___kcrctab",
	                                      "__kcrctab",
	                                      ".export_symbol",
	                                      ".modinfo",
	                                      ".note",
	                                      ".comment",
	                                      ".eh_frame",
	                                      ".gnu",
	                                      ".llvm",
	                                      ".exitcall"};
	static const char *const tracers[] = {"__tracepoints", "__bpf_raw_tp_map", "_ftrace_events", "_ftrace_eval_map",
	                                      "__syscalls_metadata"};

	if (!(s->flags & SHF_ALLOC) || unit_kind(s) != KIND_OTHER || unit_is_code(s) || unit_is_string(s) ||
	    begins(s->name, no_list, NL_ARRAY_SIZE(no_list)) || begins(s->name, of_code, NL_ARRAY_SIZE(of_code)) ||
	    ends_with(s->name, "_sched_class"))
		return LIST_NONE;
	return begins(s->name, tracers, NL_ARRAY_SIZE(tracers)) ? LIST_TRACER : LIST_FIXED;
}

/* Their entries have names, but the names are not what is read. */
static bool is_ids(const struct unit_section *s) { return !strcmp(s->name, ".BTF_ids"); }

struct changes {
	const struct comparison *c;
	struct list_change *at;
	size_t n;
};

static void add(struct changes *all, const struct unit_section *s, char *what)
{
	struct list_change *more = xalloc((all->n + 1) * sizeof(*more));

	if (all->n)
		memcpy(more, all->at, all->n * sizeof(*more));
	more[all->n++] = (struct list_change){what, list_of(s) == LIST_TRACER};
	free(all->at);
	all->at = more;
}

/* Who may not be probed, or may fail by order, is named by its address. */
static const struct unit_symbol *named_function(const struct unit *u, const struct unit_symbol *entry)
{
	const struct unit_section *s = &u->section[entry->section];

	if (!starts_with(s->name, "_kprobe_blacklist") && !starts_with(s->name, "_error_injection"))
		return NULL;
	for (size_t r = 0; r < s->n_relocs; r++)
		if (s->reloc[r].offset >= entry->value && s->reloc[r].offset - entry->value < entry->size)
			return unit_target(u, s, &s->reloc[r]).symbol;
	return NULL;
}

/* Entries with symbols: what comes, goes or changes. What only is there for a function that comes or goes as well, does
 * no more than that. */
static void compare_entries(struct changes *all)
{
	const struct comparison *c = all->c;
	const struct unit *u[] = {c->before, c->after};
	const uint32_t *other[] = {c->outcome, c->origin};

	for (int side = 0; side < 2; side++)
		for (uint32_t i = 1; i < u[side]->n_symbols; i++) {
			const struct unit_symbol *s = &u[side]->symbol[i], *of;
			const struct unit_section *in = &u[side]->section[s->section];

			if (!unit_is_datum(u[side], s) || list_of(in) == LIST_NONE || is_ids(in) ||
			    (other[side][i] && (!side || c->fate[i] == FATE_SAME)))
				continue;
			of = named_function(u[side], s);
			if (of && !other[side][i] && !other[side][of - u[side]->symbol])
				continue;
			add(all, in,
			    xformat("%s, an entry of the list %s, %s", s->name, in->name,
			            other[side][i] ? xformat("changes (%s)", c->why[i])
			            : side         ? "comes"
			                           : "goes"));
		}
}

struct run {
	uint64_t from, size;
};

static bool *covered(const struct unit *u, uint32_t section)
{
	bool *is = xalloc(u->section[section].size + 1);

	for (uint32_t i = 1; i < u->n_symbols; i++) {
		const struct unit_symbol *s = &u->symbol[i];

		if (s->section == section && (s->type == STT_FUNC || s->type == STT_OBJECT))
			memset(is + s->value, true, s->size);
	}
	return is;
}

/* Padding is no entry. */
static bool says_something(const struct unit_section *s, const struct run *run)
{
	for (size_t r = 0; r < s->n_relocs; r++)
		if (s->reloc[r].offset >= run->from && s->reloc[r].offset - run->from < run->size)
			return true;
	for (uint64_t i = 0; s->bytes && i < run->size; i++)
		if (s->bytes[run->from + i])
			return true;
	return false;
}

/* What no symbol of the section covers. Returns how many runs. */
static size_t runs_of(const struct unit *u, uint32_t section, struct run **out)
{
	const struct unit_section *s = &u->section[section];
	bool *is = covered(u, section);
	struct run run = {0};
	size_t n = 0;

	*out = xalloc((s->size / 2 + 1) * sizeof(**out));
	for (uint64_t at = 0; at <= s->size; at++) {
		if (at < s->size && !is[at]) {
			run.from = run.size ? run.from : at;
			run.size++;
		} else if (run.size) {
			if (says_something(s, &run))
				(*out)[n++] = run;
			run.size = 0;
		}
	}
	free(is);
	return n;
}

/* "__BTF_ID__func__f +0 __BTF_ID__func__g +8": numbers of types, which the build fills in by these names. */
static char *ids_of(const struct unit *u, uint32_t section)
{
	char *all = xformat("%s", "");

	for (uint64_t at = 0; at < u->section[section].size; at++)
		for (uint32_t i = 1; i < u->n_symbols; i++)
			if (u->symbol[i].section == section && u->symbol[i].value == at &&
			    u->symbol[i].type == STT_OBJECT)
				all = xformat("%s %s +%llu", all, unit_base_name(u->symbol[i].name),
				              (unsigned long long)at);
	return all;
}

/* The nth section of a name: 0 = there is none. */
static uint32_t section_named(const struct unit *u, const char *name, size_t n)
{
	for (uint32_t i = 1; i < u->n_sections; i++)
		if (!strcmp(u->section[i].name, name) && !n--)
			return i;
	return 0;
}

static bool same_entries(const struct comparison *c, uint32_t before, uint32_t after)
{
	const struct unit_section *sb = &c->before->section[before], *sa = &c->after->section[after];
	struct run *b = NULL, *a = NULL;
	size_t n = before ? runs_of(c->before, before, &b) : 0;
	bool same = n == (after ? runs_of(c->after, after, &a) : 0);

	for (size_t i = 0; i < n && same; i++)
		same = b[i].size == a[i].size && !unit_range_difference(c, sb, b[i].from, sa, a[i].from, a[i].size);
	if (same && is_ids(before ? sb : sa))
		same = before && after && !strcmp(ids_of(c->before, before), ids_of(c->after, after));
	free(b);
	free(a);
	return same;
}

static void compare_runs(struct changes *all)
{
	const struct unit *u[] = {all->c->before, all->c->after};

	for (int side = 0; side < 2; side++)
		for (uint32_t i = 1; i < u[side]->n_sections; i++) {
			const struct unit_section *s = &u[side]->section[i];
			size_t n = 0;
			uint32_t other;

			for (uint32_t j = 1; j < i; j++)
				n += !strcmp(u[side]->section[j].name, s->name);
			other = section_named(u[!side], s->name, n);
			if (list_of(s) == LIST_NONE || (side && other) ||
			    same_entries(all->c, side ? other : i, side ? i : other))
				continue;
			add(all, s, xformat("the list %s, whose entries asm() makes, changes", s->name));
		}
}

/* What asm() defines outside of functions: a name without a size. */
static bool is_asm(const struct unit *u, const struct unit_symbol *s)
{
	const struct unit_symbol *in;

	if (!s->section || s->type != STT_NOTYPE || !*s->name || starts_with(s->name, ".L") ||
	    !(u->section[s->section].flags & SHF_ALLOC) ||
	    (unit_kind(&u->section[s->section]) == KIND_OTHER && !unit_is_code(&u->section[s->section])))
		return false;
	in = unit_holder(u, s->section, s->value);
	return !in || in->type == STT_NOTYPE;
}

static uint64_t asm_size(const struct unit *u, const struct unit_symbol *s)
{
	uint64_t end = u->section[s->section].size;

	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (u->symbol[i].section == s->section && u->symbol[i].value > s->value && u->symbol[i].value < end)
			end = u->symbol[i].value;
	return end - s->value;
}

static const struct unit_symbol *asm_named(const struct unit *u, const char *name)
{
	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (!strcmp(u->symbol[i].name, name) && is_asm(u, &u->symbol[i]))
			return &u->symbol[i];
	return NULL;
}

static bool same_asm(const struct comparison *c, const struct unit_symbol *x, const struct unit_symbol *y)
{
	const struct unit_section *sx = &c->before->section[x->section], *sy = &c->after->section[y->section];
	struct unit_symbol b = *x, a = *y;

	b.size = asm_size(c->before, x);
	a.size = asm_size(c->after, y);
	return unit_same_kind(sx, sy) && a.size == b.size &&
	       !unit_range_difference(c, sx, b.value, sy, a.value, b.size) &&
	       (!unit_is_code(sx) || !unit_entries_difference(c, &b, &a));
}

static void compare_asm(struct changes *all)
{
	const struct unit *u[] = {all->c->before, all->c->after};

	for (int side = 0; side < 2; side++)
		for (uint32_t i = 1; i < u[side]->n_symbols; i++) {
			const struct unit_symbol *x = &u[side]->symbol[i], *y;

			if (!is_asm(u[side], x))
				continue;
			y = asm_named(u[!side], x->name);
			if (!y || (!side && !same_asm(all->c, x, y)))
				add(all, &u[side]->section[x->section],
				    xformat("%s, which asm() defines outside of functions, %s", x->name,
				            y      ? "changes"
				            : side ? "comes"
				                   : "goes"));
		}
}

size_t lists_changes(const struct comparison *c, struct list_change **changes)
{
	struct changes all = {.c = c};

	compare_entries(&all);
	compare_runs(&all);
	compare_asm(&all);
	*changes = all.at;
	return all.n;
}
