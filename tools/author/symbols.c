// SPDX-License-Identifier: Apache-2.0
/* `symbols`: what a kernel has of a name, and what could be done with it. */
#include "attempt.h"
#include "commands.h"
#include "leaf_modules.h"
#include "livesites.h"
#include "oldhash.h"
#include "redirect.h"

#include <fnmatch.h>
#include <getopt.h>
#include <string.h>

#define TRIED_MAX 256u /* functions for which it is found out whether they can be replaced: some 50 ms each */

struct request {
	const struct kernel *k;
	struct recipe r;
	struct recipe_replace s;
};

struct row {
	const struct module *module; /* NULL = the kernel */
	const struct ksym *sym;
	uint64_t size;
	const char *section;
	uint32_t position, of; /* among the places of that name */
	bool function, traced;
	char *trouble; /* why it cannot be replaced; NULL = it can, or nobody tried */
	char *hash;    /* NULL = not asked for */
};

static void try(const void *with)
{
	const struct request *q = with;

	refuse_context("symbols", "tried", false); /* what is listed may be JSON */
	redirect_check(q->k, &q->r, &q->s);
}

static const char *section_of(const struct kernel *k, uint64_t va)
{
	const struct ksection *s = kernel_section_at(k, va);

	return s ? s->name : "-";
}

static void find_position(const struct kernel *k, struct row *row)
{
	const struct ksym *found;

	row->of = (uint32_t)kallsyms_find(&k->syms, row->sym->name, 1, &found);
	for (uint32_t i = 1; i <= row->of; i++)
		if (kallsyms_find(&k->syms, row->sym->name, i, &found) && found && found->va == row->sym->va)
			row->position = i;
}

static struct row look(const struct kernel *k, const struct ksym *sym, bool hash, bool whether)
{
	struct row row = {
	        .module = k->module, .sym = sym, .size = kernel_extent(k, sym->va), .section = section_of(k, sym->va)};
	uint8_t digest[OLDHASH_SIZE];
	struct request q = {.k = k, .r.path = (char *)(uintptr_t) "symbols"};

	row.function = kernel_is_text(k, sym->va);
	find_position(k, &row);
	if (!row.function)
		return row;
	row.traced = livesites_ftrace(k, sym->va) || livesites_ftrace(k, sym->va + 4); /* behind ENDBR */
	if (hash && oldhash(k, sym->va, row.size, digest))
		row.hash = oldhash_text(digest);
	if (whether) {
		struct attempt a;

		q.s.function = (struct recipe_symbol){.name = (char *)(uintptr_t)sym->name,
		                                      .position = row.of > 1 ? row.position : 0};
		a = attempt(try, &q);
		if (a.exit) /* without the recipe's line, which there is none */
			row.trouble = a.why && !strncmp(a.why, "symbols:0: ", 11) ? a.why + 11
			                                                          : xformat("%s", a.why ? a.why : "?");
	}
	return row;
}

/* A link address; of a module, where in which of its regions. */
static char *place_of(const struct row *row)
{
	const struct module_region *r = row->module ? module_region_at(row->module, row->sym->va) : NULL;

	if (!r)
		return xformat("%016llx", (unsigned long long)row->sym->va);
	return xformat("%s+%#llx", leaf_memory_name(r->leaf.kind), (unsigned long long)(row->sym->va - r->va));
}

/* "va" is what a program knows of the kernel's; a module's has none before it is loaded. */
static void json_place(const struct row *row)
{
	const struct module_region *r = row->module ? module_region_at(row->module, row->sym->va) : NULL;

	if (!r) {
		printf(",\"module\":null,\"va\":\"%#llx\"", (unsigned long long)row->sym->va);
		return;
	}
	printf(",\"module\":\"%s\",\"va\":null,\"region\":\"%s\",\"pointer\":%u,\"offset\":%llu", row->module->name,
	       leaf_memory_name(r->leaf.kind), r->leaf.pointer_at, (unsigned long long)(row->sym->va - r->va));
}

static void print_text(const struct row *row, bool whether)
{
	const char *name = row->of > 1 ? xformat("%s,%u", row->sym->name, row->position) : row->sym->name;

	if (row->module)
		name = xformat("%s:%s", row->module->name, name);
	printf("%16s %6llu  %-14s %s", place_of(row), (unsigned long long)row->size, escape(row->section, FOR_TERMINAL),
	       escape(name, FOR_TERMINAL));
	if (row->hash)
		printf("  old %s", row->hash);
	if (row->function)
		printf("  %s", row->traced ? "traced" : "not traced");
	if (row->function && whether)
		printf("  %s", row->trouble ? escape(row->trouble, FOR_TERMINAL) : "can be replaced");
	printf("\n");
}

static void print_json(const struct row *row, bool first, bool whether)
{
	printf("%s{\"name\":", first ? "" : ",");
	json_string(stdout, row->sym->name);
	printf(",\"position\":%u,\"places\":%u", row->position, row->of);
	json_place(row);
	printf(",\"size_bytes\":%llu,\"section\":", (unsigned long long)row->size);
	json_string(stdout, row->section);
	printf(",\"function\":%s,\"traced\":%s,\"hash\":", row->function ? "true" : "false",
	       row->traced ? "true" : "false");
	if (row->hash)
		printf("\"%s\"", row->hash);
	else
		printf("null");
	printf(",\"replaceable\":%s,\"why_not\":", !row->function || !whether ? "null"
	                                           : row->trouble             ? "false"
	                                                                      : "true");
	if (row->trouble)
		json_string(stdout, row->trouble);
	else
		printf("null");
	printf("}");
}

struct listing {
	const char *pattern;
	bool hash, json, whether;
	size_t n, printed;
};

static bool matches(const struct listing *l, const struct kernel *k, const struct ksym *s)
{
	return kernel_owns(k, s->va) && !fnmatch(l->pattern, s->name, 0);
}

static void count(struct listing *l, const struct kernel *k)
{
	for (size_t i = 0; i < k->syms.n; i++)
		l->n += matches(l, k, &k->syms.sym[i]);
}

static void print(struct listing *l, const struct kernel *k)
{
	for (size_t i = 0; i < k->syms.n; i++) {
		struct row row;

		if (!matches(l, k, &k->syms.sym[i]))
			continue;
		row = look(k, &k->syms.sym[i], l->hash, l->whether);
		if (l->json)
			print_json(&row, !l->printed++, l->whether);
		else
			print_text(&row, l->whether);
	}
}

static bool has_like(const struct module *m, const char *pattern)
{
	for (size_t i = 1; i < m->n_symbols; i++)
		if (m->symbols[i].section && !fnmatch(pattern, m->symbols[i].name, 0))
			return true;
	return false;
}

/* Of thousands of modules few are worth a view, and a name says which without reading the others. */
static const struct module **modules_like(const struct kernel *k, const char *pattern)
{
	size_t all = k->modules ? k->modules->n : 0, n = 0;
	const struct module **found = xalloc((all + 1) * sizeof(*found));

	if (!strpbrk(pattern, "*?[")) {
		modules_with(k, pattern, found, all);
		return found;
	}
	for (size_t i = 0; i < all; i++) {
		const struct module *m = module_named(k, k->modules->file[i].name);

		if (has_like(m, pattern))
			found[n++] = m;
	}
	return found;
}

/* The kernel and all modules, or what stands before a colon. NULL: they have been. */
static const struct kernel *nth_object(const struct kernel *k, const char *only, const struct module *const *like,
                                       size_t nth)
{
	const struct module *m = NULL;

	if (only && strcmp(only, "vmlinux")) {
		m = nth ? NULL : module_named(k, only);
		if (!nth && !m)
			refuse(NL_ETARGET, "there is no module %s among what -M gives", only);
		return m ? module_view(k, m) : NULL;
	}
	if (!nth)
		return module_view(k, NULL);
	return only || !like[nth - 1] ? NULL : module_view(k, like[nth - 1]);
}

/* Where the loader will put what such a module has: for who compares it with a running kernel. */
static void print_module(const struct module *m, bool first)
{
	printf("%s{\"name\":\"%s\",\"build_id\":\"", first ? "" : ",", m->name);
	hex_print(stdout, m->build_id, m->build_id_len);
	printf("\",\"regions\":[");
	for (size_t i = 0; i < m->n_regions; i++) {
		const struct nl_leaf_region *r = &m->regions[i].leaf;

		printf("%s{\"region\":\"%s\",\"bytes\":%u,\"pointer\":%u}", i ? "," : "", leaf_memory_name(r->kind),
		       r->size, r->pointer_at);
	}
	printf("]}");
}

static int list(const struct kernel *k, const char *pattern, bool hash, bool json)
{
	const char *colon = strchr(pattern, ':'),
	           *only = colon ? xformat("%.*s", (int)(colon - pattern), pattern) : NULL;
	struct listing l = {.pattern = colon ? colon + 1 : pattern, .hash = hash, .json = json};
	const struct module *const *like = only ? NULL : modules_like(k, l.pattern);
	const struct kernel *object;

	for (size_t i = 0; (object = nth_object(k, only, like, i)); i++)
		count(&l, object);
	l.whether = l.n <= TRIED_MAX;
	if (json) {
		printf("{\"schema\":\"newleaf.symbols/1\",\"result\":\"ok\",\"kernel\":\"%s\",\"build_id\":\"",
		       k->release);
		hex_print(stdout, k->build_id, k->build_id_len);
		printf("\",\"symbols\":[");
	}
	for (size_t i = 0; (object = nth_object(k, only, like, i)); i++)
		print(&l, object);
	if (json) {
		bool first = true;

		printf("],\"modules\":[");
		for (size_t i = 0; (object = nth_object(k, only, like, i)); i++)
			if (object->module)
				print_module(object->module, first), first = false;
		printf("]}\n");
	} else if (!l.n)
		printf("%s has no symbol like %s%s\n", k->release, escape(pattern, FOR_TERMINAL),
		       k->modules ? "" : "; modules are only looked at by -M");
	else if (!l.whether)
		fprintf(stderr, "newleaf: %zu symbols; of at most %u it is said whether they can be replaced\n", l.n,
		        TRIED_MAX);
	return l.n ? NL_EXIT_OK : NL_EXIT_NOTHING;
}

int command_symbols(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},
	        {"hash", no_argument, NULL, 'h'},
	        {"modules", required_argument, NULL, 'M'},
	        {"json", no_argument, NULL, 'j'},
	        {NULL, 0, NULL, 0},
	};
	struct modules_given given = {.n = 0};
	bool hash = false, json = false;
	const char *kernel = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "k:M:", options, NULL)) != -1) {
		if (c == 'k')
			kernel = optarg;
		else if (c == 'M')
			modules_give(&given, optarg);
		else if (c == 'h')
			hash = true;
		else if (c == 'j')
			json = true;
		else
			usage_error("symbols", "an option is not understood");
	}
	if (argc - optind != 1 || !kernel)
		usage_error("symbols", "one pattern, and the kernel by -k");
	refuse_context(argv[optind], "listed", json);
	return list(kernel_open_with(kernel, &given), argv[optind], hash, json);
}
