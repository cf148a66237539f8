// SPDX-License-Identifier: Apache-2.0
/* `symbols`: what a kernel has of a name, and what could be done with it. */
#include "attempt.h"
#include "commands.h"
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
	for (size_t i = 0; i < k->n_sections; i++)
		if (va >= k->sections[i].va && va - k->sections[i].va < k->sections[i].size)
			return k->sections[i].name;
	return "-";
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
	const struct ksym *next = kallsyms_next(&k->syms, sym->va);
	struct row row = {.sym = sym, .size = next ? next->va - sym->va : 0, .section = section_of(k, sym->va)};
	uint8_t digest[OLDHASH_SIZE];
	struct request q = {.k = k, .r.path = (char *)(uintptr_t) "symbols"};

	row.function = sym->va >= kernel_symbol(k, "_stext") && sym->va < kernel_symbol(k, "_etext");
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

static void print_text(const struct row *row, bool whether)
{
	const char *name = row->of > 1 ? xformat("%s,%u", row->sym->name, row->position) : row->sym->name;

	printf("%016llx %6llu  %-14s %s", (unsigned long long)row->sym->va, (unsigned long long)row->size,
	       escape(row->section, FOR_TERMINAL), escape(name, FOR_TERMINAL));
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
	printf(",\"position\":%u,\"places\":%u,\"va\":\"%#llx\",\"size_bytes\":%llu,\"section\":", row->position,
	       row->of, (unsigned long long)row->sym->va, (unsigned long long)row->size);
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

static int list(const struct kernel *k, const char *pattern, bool hash, bool json)
{
	size_t n = 0, printed = 0;
	bool whether;

	for (size_t i = 0; i < k->syms.n; i++)
		n += !fnmatch(pattern, k->syms.sym[i].name, 0);
	whether = n <= TRIED_MAX;
	if (json)
		printf("{\"schema\":\"newleaf.symbols/1\",\"result\":\"ok\",\"kernel\":\"%s\",\"symbols\":[",
		       k->release);
	for (size_t i = 0; i < k->syms.n; i++) {
		struct row row;

		if (fnmatch(pattern, k->syms.sym[i].name, 0))
			continue;
		row = look(k, &k->syms.sym[i], hash, whether);
		if (json)
			print_json(&row, !printed++, whether);
		else
			print_text(&row, whether);
	}
	if (json)
		printf("]}\n");
	else if (!n)
		printf("%s has no symbol like %s\n", k->release, escape(pattern, FOR_TERMINAL));
	else if (!whether)
		fprintf(stderr, "newleaf: %zu symbols; of at most %u it is said whether they can be replaced\n", n,
		        TRIED_MAX);
	return n ? NL_EXIT_OK : NL_EXIT_NOTHING;
}

int command_symbols(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},
	        {"hash", no_argument, NULL, 'h'},
	        {"json", no_argument, NULL, 'j'},
	        {NULL, 0, NULL, 0},
	};
	bool hash = false, json = false;
	const char *kernel = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "k:", options, NULL)) != -1) {
		if (c == 'k')
			kernel = optarg;
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
	return list(kernel_open(kernel), argv[optind], hash, json);
}
