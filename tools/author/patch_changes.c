// SPDX-License-Identifier: Apache-2.0
/* From "what the compiler makes otherwise" to "what must be replaced in the image", and the refusals between the two.
 */
#include "module.h"
#include "patch_boot.h"
#include "patch_kind.h"
#include "patch_lists.h"
#include "patch_select.h"
#include "patch_stores.h"
#include "references.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

void patch_note(struct patch_unit *p, char *text)
{
	char **more = xalloc((p->n_notes + 1) * sizeof(*more));

	if (p->n_notes)
		memcpy(more, p->notes, p->n_notes * sizeof(*more));
	more[p->n_notes++] = text;
	p->notes = more;
}

static const char *section_of(const struct unit *u, const struct unit_symbol *s) { return u->section[s->section].name; }

/* A clone that changed has callers only in its unit: they get new code, and with it the clone. So has what it was made
 * from. Until nothing more comes. */
static void spread(struct patch_unit *p, const char **why)
{
	const struct unit *u = p->c->before;
	bool more = true;

	while (more) {
		more = false;
		for (uint32_t i = 1; i < u->n_symbols; i++) {
			if (!p->replaced[i] || !unit_is_clone(u->symbol[i].name) || !unit_is_function(u, &u->symbol[i]))
				continue;
			for (uint32_t j = 1; j < u->n_symbols; j++) {
				if (p->replaced[j] || !unit_is_function(u, &u->symbol[j]) ||
				    !unit_refers(u, &u->symbol[j], &u->symbol[i]))
					continue;
				p->replaced[j] = true;
				why[j] = xformat("calls the clone %s, which changes", u->symbol[i].name);
				more = true;
			}
		}
	}
}

/* The half of a function that the compiler put elsewhere is reached only from the other half. */
static bool is_cold(const char *name) { return strstr(name, ".cold"); }

static bool is_called(const struct unit *u, uint32_t clone)
{
	for (uint32_t j = 1; j < u->n_symbols; j++)
		if (j != clone && unit_is_function(u, &u->symbol[j]) &&
		    unit_refers(u, &u->symbol[j], &u->symbol[clone]))
			return true;
	return false;
}

/* Whoever calls a clone that changes gets new code. One that nobody is seen to call would stay as it is, and nothing
 * would say so. */
static void check_clones(const struct patch_unit *p)
{
	const struct unit *u = p->c->before;

	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (p->replaced[i] && unit_is_clone(u->symbol[i].name) && !is_cold(u->symbol[i].name) &&
		    !is_called(u, i))
			refuse(NL_ESITE,
			       "%s: %s changes, a clone that the compiler made for some callers, and who calls it "
			       "(in %s) cannot be seen",
			       p->path, u->symbol[i].name, section_of(u, &u->symbol[i]));
}

bool patch_site(struct patch_unit *p, const struct unit_symbol *before, const char *why, struct patch_function *out)
{
	const struct proof_function *f = proof_of(p->proof, before->name);
	const char *section = section_of(p->c->before, before);
	const char *boot = p->k->module ? NULL : boot_alone(p->k, p->c->before, before, f ? f->va : 0);

	if (boot)
		refuse(NL_ESITE, "%s: %s runs only while the kernel boots (%s): its change needs a boot", p->path,
		       before->name, boot);
	if (starts_with(section, ".init.text"))
		patch_note(p,
		           xformat("%s is of the module's initialiser: where the module is loaded already it has run",
		                   before->name));
	if (!p->k->module && starts_with(section, ".exit.text")) {
		patch_note(p, xformat("%s is exit code, which a built-in unit never runs", before->name));
		return false;
	}
	if (starts_with(section, ".noinstr.text") || starts_with(section, ".entry.text"))
		refuse(NL_ESITE, "%s: %s (%s) is %s code: it runs where nothing may be replaced", p->path, before->name,
		       why, section + 1);
	if (!f || (!f->va && f->why))
		refuse(NL_ESITE, "%s: %s (%s) cannot be found in the image: %s", p->path, before->name, why,
		       f ? f->why : "the compiler does not make it as shipped");
	if (f->overridden) {
		patch_note(p, xformat("%s is weak, and this kernel uses another in its place", before->name));
		return false;
	}
	if (f->why && !p->allow_unproven)
		refuse(NL_ETARGET,
		       "%s: %s of this source is not the one in the image (%s); if the source is right, say: --allow "
		       "unproven",
		       p->path, before->name, f->why);
	*out = (struct patch_function){f->symbol, f->va, why, f->why != NULL};
	return true;
}

/* Who else would call a function that is gone? What calls by name changes with it, or the kernel would not link; but
 * the table of system calls falls back to "not implemented" by itself. */
static bool is_entry(const char *name) { return starts_with(name, "__x64_") || starts_with(name, "__ia32_"); }

static void mark_changed(struct patch_unit *p, const char **why)
{
	const struct comparison *c = p->c;

	for (uint32_t j = 1; j < c->after->n_symbols; j++) {
		const struct unit_symbol *s = &c->after->symbol[j];

		if (c->fate[j] != FATE_CHANGED || !unit_is_function(c->after, s))
			continue;
		p->replaced[c->origin[j]] = true;
		why[c->origin[j]] = c->why[j];
	}
	for (uint32_t i = 1; i < c->before->n_symbols; i++) {
		const struct unit_symbol *s = &c->before->symbol[i];

		if (c->outcome[i] || !unit_is_function(c->before, s) || is_cold(s->name))
			continue;
		if (unit_is_clone(s->name)) { /* whoever called it calls another now; to be sure: */
			p->replaced[i] = true;
			why[i] = "a clone that is gone";
		} else {
			if (is_entry(s->name))
				refuse(NL_ESITE,
				       "%s: %s is gone from the source, but the kernel's table of system calls leads "
				       "to "
				       "it: let it return an error instead",
				       p->path, s->name);
			patch_note(p,
			           xformat("%s is gone, or only clones of it are left; the image keeps it", s->name));
		}
	}
}

/* By what is no part of the unit. */
static bool is_foreign(const void *arg, const struct reference *r)
{
	const struct unit *const *u = arg;

	return !r->in || !unit_find(*u, r->in->name);
}

/* A constant that is there still, and that nobody reads again. What others have got the address of they may read; of
 * that it is said. */
static void check_read(struct patch_unit *p, const struct unit_symbol *after, const struct unit_symbol *shipped,
                       uint64_t va, const char *why)
{
	const struct unit *u = p->c->after;
	enum boot_use use = boot_use_of(u, after);
	struct reference r;

	if (use == BOOT_NOT ||
	    (after->binding != STB_LOCAL && references_find(p->k, va, va + shipped->size, is_foreign, &p->shipped, &r)))
		return;
	if (p->k->module) {
		patch_note(p, xformat("only the module's initialiser reads %s, or has its address: where the module is "
		                      "loaded already it has run",
		                      after->name));
		return;
	}
	if (use == BOOT_READS)
		refuse(NL_ESITE,
		       "%s: %s changes (%s), which only code of boot reads (__init), and boot has read it: its change "
		       "needs a boot",
		       p->path, after->name, why);
	patch_note(p,
	           xformat("only code of boot has the address of %s: what boot itself has read of it stays as it was",
	                   after->name));
}

static void add_datum(struct patch_unit *p, uint32_t j)
{
	const struct comparison *c = p->c;
	const struct unit_symbol *after = &c->after->symbol[j], *before = &c->before->symbol[c->origin[j]];
	const struct unit_symbol *shipped = unit_find(p->shipped, before->name);
	const struct unit_section *s = &c->before->section[before->section];
	const char *why;
	uint64_t va;

	if (unit_kind(s) == KIND_BOOT && p->k->module)
		refuse(NL_ESITE,
		       "%s: %s changes (%s), which only the module's initialiser has (%s): a leaf changes its code, "
		       "and "
		       "not its data; have the code use a constant that is not __initconst",
		       p->path, after->name, c->why[j], s->name);
	if (unit_kind(s) == KIND_BOOT)
		refuse(NL_ESITE,
		       "%s: %s changes (%s), which boot has read and nothing reads again (%s): its change needs a boot",
		       p->path, after->name, c->why[j], s->name);
	if (unit_kind(s) == KIND_EXIT && !p->k->module) {
		patch_note(p,
		           xformat("%s changes, which is for exit code: a built-in unit never runs it", after->name));
		return;
	}
	if (!unit_is_constant(s))
		refuse(NL_ESITE,
		       "%s: the initial value or the size of %s changes (%s), which is writable: the running kernel "
		       "has changed it, or has copies of it. Change the functions that read it, or boot a fixed "
		       "kernel",
		       p->path, after->name, c->why[j]);
	if (!shipped)
		refuse(NL_ESITE, "%s: %s is not in the unit as shipped", p->path, before->name);
	why = proof_data(p->proof, shipped);
	if (why || !proof_place(p->proof, shipped, &va))
		refuse(NL_ETARGET, "%s: %s of this source is not the one in the image: %s", p->path, before->name, why);
	check_read(p, after, shipped, va, c->why[j]);
	if (before->size != after->size)
		refuse(NL_ESITE, "%s: %s, which unchanged code reads, changes its size", p->path, after->name);
	p->datum[p->n_data++] = (struct patch_datum){shipped, after, NULL, va};
}

/* Boot is over: nobody would run it, and what it prepares would be missing without a word. */
static void check_new(const struct patch_unit *p, const struct unit_symbol *s)
{
	const struct unit *u = p->c->after;
	const char *section = section_of(u, s);

	if (p->k->module && unit_kind(&u->section[s->section]) != KIND_OTHER)
		return; /* whoever loads it runs it; the leaf's own is not thrown away */
	if (unit_is_of_boot(&u->section[s->section]) || starts_with(section, "__param") ||
	    starts_with(section, ".init"))
		refuse(NL_ESITE, "%s: %s is new and only for boot (%s), which is over", p->path, s->name, section);
}

static bool same_place(const struct unit *u, uint32_t i, uint32_t j)
{
	return u->symbol[i].section == u->symbol[j].section && u->symbol[i].value == u->symbol[j].value;
}

/* Aliases, and equal functions that the compiler has folded: what the jump stands on is all of them. One site for those
 * that stay one; where they part, their callers would have to be told apart, and cannot be. True: another name has it.
 */
static bool has_another_name(const struct patch_unit *p, uint32_t i)
{
	const struct comparison *c = p->c;
	bool another = false;

	for (uint32_t j = 1; j < c->before->n_symbols; j++) {
		const struct unit_symbol *s = &c->before->symbol[j];

		if (j == i || !unit_is_function(c->before, s) || !same_place(c->before, i, j))
			continue;
		if (!p->replaced[j] || !c->outcome[i] || !c->outcome[j] ||
		    !same_place(c->after, c->outcome[i], c->outcome[j]))
			refuse(NL_ESITE,
			       "%s: %s and %s are one code in this kernel, and after the patch they are not: who calls "
			       "which of them cannot be told",
			       p->path, c->before->symbol[i].name, s->name);
		another |= j < i;
	}
	return another;
}

/* It lies where boot has put it, with what may be done there. */
static void check_kinds(const struct patch_unit *p)
{
	const struct comparison *c = p->c;

	for (uint32_t j = 1; j < c->after->n_symbols; j++) {
		const struct unit_symbol *a = &c->after->symbol[j], *b = &c->before->symbol[c->origin[j]];
		const struct unit_section *sa = &c->after->section[a->section], *sb = &c->before->section[b->section];

		if (c->origin[j] && !unit_same_kind(sb, sa))
			refuse(NL_ESITE,
			       "%s: %s is %s in the running kernel, and the patch makes it %s: a leaf cannot hold it "
			       "otherwise. Boot a fixed kernel, or give what is new another name",
			       p->path, a->name, unit_kind_text(sb), unit_kind_text(sa));
	}
}

/* What must be aligned more than the compiler had it may lie so by chance. */
static void check_alignment(const struct patch_unit *p)
{
	const struct comparison *c = p->c;

	for (uint32_t j = 1; j < c->after->n_symbols; j++) {
		const struct unit_symbol *a = &c->after->symbol[j], *b = &c->before->symbol[c->origin[j]], *shipped;
		uint32_t align = c->origin[j] && unit_is_datum(c->after, a) ? unit_alignment(c->after, a) : 0;
		uint64_t va;

		if (align <= 1 || align <= unit_alignment(c->before, b))
			continue;
		shipped = unit_find(p->shipped, b->name);
		if (!shipped || !proof_place(p->proof, shipped, &va) || va % align)
			refuse(NL_ESITE,
			       "%s: the patch aligns %s to %u bytes, and where the running kernel has it is another "
			       "place: "
			       "boot a fixed kernel, or have new code use a new variable",
			       p->path, a->name, align);
	}
}

static bool is_read_only(const void *with, const char *name)
{
	const struct patch_unit *p = with;
	const struct ksection *in;
	const struct ksym *found;

	if (kallsyms_find(&p->k->syms, name, 1, &found) != 1)
		return false;
	in = p->k->module ? kernel_section_at(p->k, found->va) : NULL;
	if (in && in->of)
		return in->of->memory == MODULE_RODATA || in->of->memory == MODULE_RO_AFTER_INIT;
	return found->va >= kernel_symbol_or_0(p->k, "__start_rodata") &&
	       found->va < kernel_symbol_or_0(p->k, "__end_rodata");
}

static void check_stores(const struct patch_unit *p)
{
	struct store s;

	if (store_find(p->c, is_read_only, p, &s))
		refuse(NL_ESITE,
		       "%s: the patch has %s write to %s, which is read-only in the running kernel%s: the write would "
		       "fault",
		       p->path, s.function->name, s.to->name, s.to->section ? " (const or __ro_after_init)" : "");
}

static void check_lists(struct patch_unit *p)
{
	struct list_change *change;
	size_t n = lists_changes(p->c, &change);

	for (size_t i = 0; i < n; i++) {
		if (!change[i].tracing)
			refuse(NL_ESITE,
			       "%s: %s: %s has read it, or it is read as the linker laid it out, and a leaf can do "
			       "nothing about either. %s",
			       p->path, change[i].what, p->k->module ? "who loads the module" : "boot",
			       p->k->module ? "Load a fixed module" : "Boot a fixed kernel");
		patch_note(p, xformat("%s; what can be traced stays as it is", change[i].what));
	}
	free(change);
}

void patch_changes(struct patch_unit *p)
{
	const struct unit *u = p->c->before;
	const char **why = xalloc((u->n_symbols + 1) * sizeof(*why));

	p->replaced = xalloc((u->n_symbols + 1) * sizeof(*p->replaced));
	p->function = xalloc((u->n_symbols + 1) * sizeof(*p->function));
	p->datum = xalloc((u->n_symbols + 1) * sizeof(*p->datum));
	check_kinds(p);
	check_alignment(p);
	check_stores(p);
	mark_changed(p, why);
	spread(p, why);
	check_clones(p);
	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (p->replaced[i] && !unit_is_clone(u->symbol[i].name) && !has_another_name(p, i))
			p->n_functions += patch_site(p, &u->symbol[i], why[i], &p->function[p->n_functions]);
	for (uint32_t j = 1; j < p->c->after->n_symbols; j++)
		if (p->c->fate[j] == FATE_NEW)
			check_new(p, &p->c->after->symbol[j]);
	check_lists(p);
	for (uint32_t j = 1; j < p->c->after->n_symbols; j++)
		if (p->c->fate[j] == FATE_CHANGED && unit_is_datum(p->c->after, &p->c->after->symbol[j]))
			add_datum(p, j);
	free(why);
}
