// SPDX-License-Identifier: Apache-2.0
/*
 * `transplant`: leaves whose bodies are the functions' own code, for functions that are named or drawn by lot. They
 * change nothing that anybody could see, so whoever notices one has found a defect: of the reader of kernels, of sites,
 * relocations and stubs, or of the hypervisor.
 */
#include "attempt.h"
#include "branches.h"
#include "build.h"
#include "commands.h"
#include "leaffile.h"
#include "lot.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define PER_LEAF (NL_LEAF_MAX_SITES - 2) /* a site that goes on in the next page is two */

struct one {
	const struct kernel *k;
	const char *name; /* NAME or NAME,POSITION */
};

static struct recipe *recipe_of(const char *id, char *const *names, size_t n)
{
	char *text = xformat(
	        "id %s\nversion 1\ndescription \"the functions' own code at another place\"\ncounters cpus 4\n", id);

	for (size_t i = 0; i < n; i++)
		text = xformat("%stransplant %s allow clones\n", text, names[i]);
	return recipe_parse(id, text);
}

static void try_one(const void *with)
{
	const struct one *o = with;

	build_leaf(recipe_of("t", (char *const *)&o->name, 1), o->k, &(struct build_with){.headers = NULL});
}

/* Functions that a source could name: no clones, no halves, no marks. */
static bool is_candidate(const struct kernel *k, const struct ksym *s)
{
	return kernel_owns(k, s->va) && kernel_is_text(k, s->va) && kernel_extent(k, s->va) && !strchr(s->name, '.') &&
	       strncmp(s->name, "__pfx_", 6) && strncmp(s->name, "_R", 2) && kallsyms_at(&k->syms, s->va) == s;
}

static char *named(const struct kernel *k, const struct ksym *s)
{
	const struct ksym *found = NULL;
	size_t n = kallsyms_find(&k->syms, s->name, 1, &found);

	const char *of = k->module ? xformat("%s:", k->module->name) : "";

	for (size_t i = 1; n > 1 && i <= n; i++)
		if (kallsyms_find(&k->syms, s->name, i, &found) && found->va == s->va)
			return xformat("%s%s,%zu", of, s->name, i);
	return xformat("%s%s", of, s->name);
}

struct candidate {
	const struct kernel *k;
	const struct ksym *sym;
};

/* Of the kernel; of its modules alone, if some are given. */
static size_t candidates(const struct kernel *k, struct candidate **all)
{
	size_t given = k->modules ? k->modules->n : 0, n = 0;
	struct buf list = {0};

	for (size_t i = 0; i < (given ? given : 1); i++) {
		const struct kernel *v = module_view(k, given ? module_named(k, k->modules->file[i].name) : NULL);

		for (size_t j = 0; j < v->syms.n; j++)
			if (is_candidate(v, &v->syms.sym[j])) {
				buf_add(&list, &(struct candidate){v, &v->syms.sym[j]}, sizeof(struct candidate));
				n++;
			}
	}
	*all = (struct candidate *)(void *)list.p;
	return n;
}

static int by_module(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Draws `count` different candidates, or takes all if there are not so many. */
static size_t choose(const struct kernel *k, size_t count, uint64_t seed, char ***names)
{
	struct candidate *all, chosen;
	uint64_t state = lot_start(seed);
	size_t n = candidates(k, &all);

	count = count < n ? count : n;
	*names = xalloc((count + 1) * sizeof(**names));
	for (size_t i = 0; i < count; i++) {
		size_t j = i + lot_draw(&state, n - i);

		chosen = all[j];
		all[j] = all[i];
		(*names)[i] = named(chosen.k, chosen.sym);
	}
	free(all);
	if (k->modules)
		qsort(*names, count, sizeof(**names), by_module);
	return count;
}

/* How many of the names go into one leaf: those of one object, for a leaf has but few. */
static size_t together(char *const *names, size_t n)
{
	size_t object = strcspn(names[0], ":"), i = 1;

	while (i < n && i < PER_LEAF && strcspn(names[i], ":") == object && !strncmp(names[i], names[0], object))
		i++;
	return names[0][object] ? i : n < PER_LEAF ? n : PER_LEAF;
}

static void write_leaf(const struct kernel *k, char *const *names, size_t n, unsigned number, const char *directory)
{
	char *id = xformat("transplant-%02u", number), *path = xformat("%s/%s.leaf", directory, id);
	struct leaffile l = build_leaf(recipe_of(id, names, n), k, &(struct build_with){.headers = NULL}).leaf;

	file_write(path, l.file.p, l.file.n, 0644);
	fprintf(stderr, "%s: %zu functions, body %u bytes, %u relocations\n", escape(path, FOR_TERMINAL), n,
	        l.leaf.header->text.count, l.leaf.header->relocs.count);
}

int command_transplant(int argc, char **argv)
{
	static const struct option options[] = {
	        {"kernel", required_argument, NULL, 'k'},  {"count", required_argument, NULL, 'n'},
	        {"seed", required_argument, NULL, 's'},    {"output", required_argument, NULL, 'o'},
	        {"modules", required_argument, NULL, 'M'}, {NULL, 0, NULL, 0},
	};
	const char *kernel = NULL, *output = ".";
	struct modules_given given = {.n = 0};
	size_t count = 0, built = 0;
	unsigned leaves = 0;
	uint64_t seed = 1;
	struct one o;
	char **names;
	int c;

	while ((c = getopt_long(argc, argv, "k:M:o:", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			kernel = optarg;
			break;
		case 'M':
			modules_give(&given, optarg);
			break;
		case 'n':
			count = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			output = optarg;
			break;
		default:
			usage_error("transplant", "an option is not understood");
		}
	}
	if (!kernel || !count == (argc == optind))
		usage_error("transplant", "the kernel by -k, and functions or --count");
	refuse_context("transplant", "built", false);
	o.k = kernel_open_with(kernel, &given);
	branches_remember(o.k);
	names = argv + optind;
	count = count ? choose(o.k, count, seed, &names) : (size_t)(argc - optind);
	for (size_t i = 0; i < count; i++) {
		struct attempt a;

		o.name = names[i];
		a = attempt(try_one, &o);
		printf("%s\t%s\t%s\n", names[i], a.exit ? a.code ? a.code : xformat("exit %d", a.exit) : "built",
		       a.why ? a.why : "");
		if (!a.exit)
			names[built++] = names[i];
	}
	for (size_t at = 0, some; at < built; at += some, leaves++) {
		some = together(names + at, built - at);
		write_leaf(o.k, names + at, some, leaves, output);
	}
	fprintf(stderr, "%zu of %zu functions in %u leaves\n", built, count, leaves);
	return built ? NL_EXIT_OK : NL_EXIT_NOTHING;
}
