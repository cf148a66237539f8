// SPDX-License-Identifier: Apache-2.0
/*
 * The callers in the source are compiled and compared; those of modules from elsewhere are not there. They go on to
 * load, too: the checksum that they ask for is of the image, which stays.
 */
#include "patch_exports.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <newleaf/types.h>
#include <string.h>

/* The name of what a symbol exports (EXPORT_SYMBOL, of either form); NULL: it exports nothing. */
static const char *exported(const struct unit *u, const struct unit_symbol *s)
{
	static const char *const marks[] = {"__ksymtab_", "__export_symbol_"};
	const char *section = u->section[s->section].name;

	for (size_t i = 0; s->section && i < NL_ARRAY_SIZE(marks); i++)
		if (starts_with(s->name, marks[i]) &&
		    (starts_with(section, "___ksymtab") || starts_with(section, ".export_symbol")))
			return s->name + strlen(marks[i]);
	return NULL;
}

static const struct unit_symbol *export_of(const struct unit *u, const char *name)
{
	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (exported(u, &u->symbol[i]) && !strcmp(exported(u, &u->symbol[i]), name))
			return &u->symbol[i];
	return NULL;
}

static bool exports(const struct unit *u, const char *name) { return export_of(u, name); }

/* To whom: by the section, or by what stands there. */
static bool same_export(const struct comparison *c, const struct unit_symbol *b, const struct unit_symbol *a)
{
	const struct unit_section *sb = &c->before->section[b->section], *sa = &c->after->section[a->section];
	uint64_t n = unit_unnamed_size(c->before, b->section, b->value);

	return !strcmp(sb->name, sa->name) && n == unit_unnamed_size(c->after, a->section, a->value) &&
	       !unit_range_difference(c, sb, b->value, sa, a->value, n);
}

static void note_other_export(struct patch_unit *p, const struct unit_symbol *a)
{
	const char *name = exported(p->c->after, a);
	const struct unit_symbol *b = name ? export_of(p->c->before, name) : NULL;

	if (b && !same_export(p->c, b, a))
		patch_note(p,
		           xformat("the patch exports %s to other modules or in another namespace; the image does as "
		                   "before",
		                   name));
}

static void note_exports(struct patch_unit *p)
{
	const struct unit *b = p->c->before, *a = p->c->after;

	for (uint32_t i = 1; i < a->n_symbols; i++)
		if (exported(a, &a->symbol[i]) && !exports(b, exported(a, &a->symbol[i])))
			patch_note(p,
			           xformat("the patch exports %s; the leaf does not, so that no module can link to it",
			                   exported(a, &a->symbol[i])));
	for (uint32_t i = 1; i < a->n_symbols; i++)
		note_other_export(p, &a->symbol[i]);
	for (uint32_t i = 1; i < b->n_symbols; i++)
		if (exported(b, &b->symbol[i]) && !exports(a, exported(b, &b->symbol[i])))
			patch_note(p, xformat("the patch no longer exports %s; the image does as before",
			                      exported(b, &b->symbol[i])));
}

/* `__BTF_ID__func__NAME__12`: in one of the lists of what BPF programs may call or hang on. */
static bool is_for_bpf(const struct kernel *k, const char *name)
{
	char *start = xformat("__BTF_ID__func__%s__", name);

	for (size_t i = 0; i < k->syms.n; i++) {
		const char *rest = k->syms.sym[i].name + strlen(start);

		if (starts_with(k->syms.sym[i].name, start) && *rest && !rest[strspn(rest, "0123456789")])
			return true;
	}
	return false;
}

static const char *users_of(const struct kernel *k, const struct patch_unit *units, size_t n, const char *name)
{
	const struct ksym *found;
	bool known = kallsyms_find(&k->syms, xformat("__ksymtab_%s", name), 1, &found);

	for (size_t i = 0; i < n && !known; i++)
		known = exports(units[i].c->before, name);
	return known ? "modules" : is_for_bpf(k, name) ? "BPF programs" : NULL;
}

/* A unit before the patch that has the function in another form. */
static bool changes(const struct patch_unit *p, const struct patch_unit *units, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		const struct unit_symbol *s = unit_find(units[i].c->before, name);

		if (s && unit_is_function(units[i].c->before, s) && (&units[i] == p || s->binding != STB_LOCAL) &&
		    !layout_same_function(&units[i].types, &p->types, name))
			return true;
	}
	return false;
}

static void check_prototypes(struct patch_unit *p, const struct patch_unit *units, size_t n, bool allow_modules)
{
	const struct unit *a = p->c->after;

	for (uint32_t j = 1; j < a->n_symbols; j++) {
		const char *name = a->symbol[j].name, *users;

		if (!unit_is_function(a, &a->symbol[j]) || !changes(p, units, n, name) ||
		    !(users = users_of(p->k, units, n, name)))
			continue;
		if (!allow_modules)
			refuse(NL_ESITE,
			       "%s: %s takes or returns something else after the patch, and %s that are not in the "
			       "source may call it as before. If there are none, say: --allow modules",
			       p->path, name, users);
		p->prototype = p->prototype ? xformat("%s, %s", p->prototype, name) : name;
	}
}

/* The part of a parameter's name by which the kernel's checker of BPF programs knows what is passed: x__sz,
 * x__nullable, and two names as they are (kernel/bpf/verifier.c). */
static const char *mark_of(const struct btf *btf, const struct btf_param *param)
{
	const char *name = btf__name_by_offset(btf, param->name_off), *mark = NULL;

	if (!name)
		return "";
	if (!strcmp(name, "rdonly_buf_size") || !strcmp(name, "rdwr_buf_size"))
		return name;
	for (const char *at = strstr(name, "__"); at; at = strstr(at + 1, "__"))
		mark = at;
	return mark && mark > name ? mark : "";
}

/* These count for functions that no list names, too: raw tracepoints, and what an operation of BPF is declared by. */
static bool is_anywhere(const char *mark) { return !strcmp(mark, "__nullable") || !strcmp(mark, "__ref"); }

static const struct btf_type *prototype_of(const struct btf *btf, const char *name)
{
	size_t n = 0;
	const uint32_t *id = btf ? typenames_find(btf, BTF_KIND_FUNC, name, &n) : NULL;

	return n ? btf__type_by_id(btf, btf__type_by_id(btf, id[0])->type) : NULL;
}

/* The mark that comes or goes among the names that a function gives to what it takes; NULL: none. */
static const char *other_mark(const struct btf *from, const struct btf *to, const struct kernel *k, const char *name)
{
	const struct btf_type *b = prototype_of(from, name), *a = prototype_of(to, name);

	for (uint32_t i = 0; b && a && i < btf_vlen(b) && i < btf_vlen(a); i++) {
		const char *old = mark_of(from, &btf_params(b)[i]), *new = mark_of(to, &btf_params(a)[i]);

		if (strcmp(old, new) && (is_anywhere(old) || is_anywhere(new) || is_for_bpf(k, name)))
			return *new ? new : old;
	}
	return NULL;
}

/* Names of parameters make no code, but the running kernel has those of its own file, and checks by them. */
static void check_marks(const struct patch_unit *p, const struct patch_unit *units, size_t n)
{
	const struct unit *a = p->c->after;

	for (uint32_t j = 1; j < a->n_symbols; j++)
		for (size_t i = 0; i < n && unit_is_function(a, &a->symbol[j]); i++) {
			const char *name = a->symbol[j].name, *mark;

			if (&units[i] != p && a->symbol[j].binding == STB_LOCAL)
				continue;
			mark = other_mark(units[i].types.before, p->types.after, p->k, name);
			if (mark)
				refuse(NL_ESITE,
				       "%s: a parameter of %s is called otherwise after the patch (%s), and the kernel "
				       "checks BPF "
				       "programs by that name, which a leaf does not change. Leave the name as it is, "
				       "or boot "
				       "a fixed kernel",
				       p->path, name, mark);
		}
}

void exports_check(struct patch_unit *units, size_t n, bool allow_modules)
{
	for (size_t i = 0; i < n; i++) {
		note_exports(&units[i]);
		check_prototypes(&units[i], units, n, allow_modules);
		check_marks(&units[i], units, n);
		if (units[i].prototype)
			patch_note(&units[i],
			           xformat("others may call by the old prototype: %s; ALLOWED", units[i].prototype));
	}
}
